import { afterAll, beforeAll, expect, test } from "bun:test";
import OpenAI from "openai";
import {
  SAMPLE_CHAT_MODEL,
  SAMPLE_EMBED_MODEL,
  SAMPLE_TRANSCRIBE_MODEL,
  type SampleBackend,
  startSampleBackend,
} from "../../../src/demo/sample-backend.ts";
import { systemClock } from "../../../src/system/clock.ts";
import { systemIds } from "../../../src/system/ids.ts";
import { silentLog } from "../../../src/system/log.ts";
import { loadWorkerSettings } from "../../../src/worker/args.ts";
import { KINDS } from "../../../src/worker/kinds.ts";
import { startWorker, type Worker } from "../../../src/worker/worker.ts";
import { eventually } from "../../support/eventually.ts";
import { API_KEY, CLIENT_KEY, TestServer } from "../../support/test-server.ts";

let server: TestServer;
let backend: SampleBackend;
let worker: Worker;
let client: OpenAI;

beforeAll(async () => {
  server = new TestServer({ queueTimeoutMs: 200 });
  backend = startSampleBackend({ delayMs: 5 });
  worker = startRealWorker(backend.url);
  await worker.registered;
  client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: API_KEY, maxRetries: 0 });
});
afterAll(async () => {
  await worker.stop();
  await backend.stop();
  await server.stop();
});

function startRealWorker(backendUrl: string): Worker {
  const loaded = loadWorkerSettings({
    argv: [
      "llm",
      "--server",
      server.url,
      "--client-key",
      CLIENT_KEY,
      "--backend",
      backendUrl,
      "--max-concurrency",
      "4",
    ],
    env: {},
    readFile: () => "",
    version: "",
    knownKinds: [...KINDS.keys()],
    hostname: "test",
    isTerminal: false,
  });
  if (loaded.kind !== "ready") throw new Error("the settings are not valid");
  return startWorker(loaded.config, { clock: systemClock, ids: systemIds, log: silentLog });
}

const messages = [{ role: "user" as const, content: "one two three" }];

test("the official client chats", async () => {
  const completion = await client.chat.completions.create({ model: SAMPLE_CHAT_MODEL, messages });
  expect(completion.choices[0]?.message.content).toContain("one two three");
  expect(completion.usage?.total_tokens).toBeGreaterThan(0);
  expect(completion._request_id).toMatch(/^req_/);
});

test("the official client streams, word by word", async () => {
  const stream = await client.chat.completions.create({
    model: SAMPLE_CHAT_MODEL,
    messages,
    stream: true,
    stream_options: { include_usage: true },
  });
  const pieces: string[] = [];
  let usage = 0;
  for await (const chunk of stream) {
    const text = chunk.choices[0]?.delta.content;
    if (text) pieces.push(text);
    usage = chunk.usage?.total_tokens ?? usage;
  }
  expect(pieces.length).toBeGreaterThan(3);
  expect(pieces.join("")).toContain("one two three");
  expect(usage).toBeGreaterThan(0);
});

test("the official client embeds in its default base64, and gets every dimension", async () => {
  const { data, usage } = await client.embeddings.create({
    model: SAMPLE_EMBED_MODEL,
    input: ["a rope", "a rope", "an engine"],
  });
  expect(data.map(({ index }) => index)).toEqual([0, 1, 2]);
  expect(data[0]?.embedding.length).toBe(256);
  expect(data[0]?.embedding).toEqual(data[1]?.embedding ?? []);
  expect(data[0]?.embedding).not.toEqual(data[2]?.embedding ?? []);
  expect(usage.prompt_tokens).toBeGreaterThan(0);
});

test("the official client lists and gets models", async () => {
  const ids = [];
  for await (const model of client.models.list()) ids.push(model.id);
  expect(ids).toEqual([SAMPLE_CHAT_MODEL, SAMPLE_EMBED_MODEL, SAMPLE_TRANSCRIBE_MODEL]);
  expect((await client.models.retrieve(SAMPLE_CHAT_MODEL)).id).toBe(SAMPLE_CHAT_MODEL);
});

test("the official client uses the Responses API", async () => {
  const response = await client.responses.create({ model: SAMPLE_CHAT_MODEL, input: "one two three" });
  expect(response.output_text).toContain("one two three");
});

test("errors come as the official client's own classes, with code and type", async () => {
  const unknown = await client.chat.completions.create({ model: "nope", messages }).catch((error) => error);
  expect(unknown).toBeInstanceOf(OpenAI.NotFoundError);
  expect(unknown).toMatchObject({
    status: 404,
    code: "model_not_found",
    type: "invalid_request_error",
    param: "model",
  });
  const noKey = await new OpenAI({ baseURL: `${server.url}/v1`, apiKey: "wrong", maxRetries: 0 }).models
    .list()
    .catch((error) => error);
  expect(noKey).toBeInstanceOf(OpenAI.AuthenticationError);
  expect(noKey).toMatchObject({ status: 401, code: "invalid_api_key" });
});

test("an aborted stream in the official client stops the backend", async () => {
  const slow = startSampleBackend({ delayMs: 50 });
  const slowWorker = startRealWorker(slow.url);
  await slowWorker.registered;
  const stream = await client.chat.completions.create({ model: SAMPLE_CHAT_MODEL, messages, stream: true });
  for await (const chunk of stream) if (chunk.choices[0]?.delta.content) break;
  await eventually(() => backend.openStreams === 0 && slow.openStreams === 0, "both backends are quiet");
  await eventually(
    async () => (await server.state()).workers.every(({ inflight }) => inflight === 0),
    "every slot is free",
  );
  await slowWorker.stop();
  await slow.stop();
});

test("a worker killed mid-stream makes the official client throw an APIError with the code", async () => {
  const scripted = await server.worker({ models: ["doomed"] });
  const answer = client.chat.completions.create({ model: "doomed", messages, stream: true });
  const { id } = await scripted.request();
  scripted.head(
    id,
    200,
    undefined,
    'data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"doomed","choices":[{"index":0,"delta":{"content":"a"}}]}\n\n',
  );
  const seen: (string | null | undefined)[] = [];
  const error = await (async () => {
    for await (const chunk of await answer) {
      seen.push(chunk.choices[0]?.delta.content);
      scripted.kill();
    }
  })().catch((caught) => caught);
  expect(seen).toEqual(["a"]);
  expect(error).toBeInstanceOf(OpenAI.APIError);
  expect(error.code).toBe("worker_lost");
});

test("the official client retries exactly the retryable errors", async () => {
  const scripted = await server.worker({ models: ["flaky"] });
  const retrying = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: API_KEY, maxRetries: 1 });
  const answer = retrying.chat.completions.create({ model: "flaky", messages });
  scripted.breakOff((await scripted.request()).id, "upstream_unreachable");
  scripted.answerJson((await scripted.request()).id, { choices: [{ message: { content: "second try" } }] });
  expect((await answer).choices[0]?.message.content).toBe("second try");

  const refused = retrying.chat.completions.create({ model: "flaky", messages }).catch((error) => error.status);
  scripted.answerJson((await scripted.request()).id, { error: { message: "bad" } }, 400);
  expect(await refused).toBe(400);
  expect(scripted.frames.waiting).toBe(0);
});

test("tokens are counted per worker as answers report them", async () => {
  const scripted = await server.worker({ worker_id: "counting", models: ["counted"] });
  const answer = client.chat.completions.create({ model: "counted", messages });
  scripted.answerJson((await scripted.request()).id, {
    choices: [],
    usage: { prompt_tokens: 5, completion_tokens: 7, total_tokens: 12 },
  });
  await answer;
  const streamed = client.chat.completions.create({ model: "counted", messages, stream: true });
  const { id } = await scripted.request();
  scripted.head(id, 200, undefined, 'data: {"choices":[],"usage":null}\n\n');
  scripted.data(id, 'data: {"choices":[],"usage":{"prompt_tokens":10,"completion_to');
  scripted.data(id, 'kens":20}}\n\ndata: [DONE]\n\n', true);
  for await (const _ of await streamed) {
    // Read to its end.
  }
  const counting = await eventually(
    async () => (await server.state()).workers.find((each) => each.id === "counting" && each["processed_total"] === 2),
    "both are counted",
  );
  expect(counting).toMatchObject({ input_tokens_total: 15, output_tokens_total: 27, failures_total: 0 });
});
