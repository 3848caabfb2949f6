import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import OpenAI from "openai";
import {
  SAMPLE_CHAT_MODEL,
  SAMPLE_EMBED_MODEL,
  SAMPLE_TRANSCRIBE_MODEL,
  type SampleBackend,
  startSampleBackend,
} from "../../../src/demo/sample-backend.ts";
import { toVector } from "../../../src/demo/sample-embedding.ts";
import { parseModelList } from "../../../src/worker/model-list.ts";
import { eventually } from "../../support/eventually.ts";

let backend: SampleBackend;
let client: OpenAI;

beforeAll(() => {
  backend = startSampleBackend({ delayMs: 0 });
  client = new OpenAI({ baseURL: backend.url, apiKey: "none", maxRetries: 0 });
});
afterAll(() => backend.stop());

const messages = [{ role: "user" as const, content: "What is a mooring?" }];

test("the sample backend lists its models, and every answer says that it is a sample", async () => {
  const response = await fetch(`${backend.url}/models`);
  expect(response.headers.get("x-moorage-sample")).toBe("true");
  const { data } = await client.models.list();
  expect(data.map(({ id, owned_by }) => [id, owned_by])).toEqual([
    [SAMPLE_CHAT_MODEL, "moorage-sample"],
    [SAMPLE_EMBED_MODEL, "moorage-sample"],
    [SAMPLE_TRANSCRIBE_MODEL, "moorage-sample"],
  ]);
});

test("the sample lists a model as loaded after its first request", async () => {
  const fresh = startSampleBackend({ delayMs: 0 });
  const states = async (): Promise<readonly (string | undefined)[]> => {
    const list = parseModelList(await (await fetch(`${fresh.url}/models`)).json());
    return list?.info.map(({ id, status }) => `${id} ${status}`) ?? [];
  };
  expect(await states()).not.toContain(`${SAMPLE_EMBED_MODEL} loaded`);
  await fetch(`${fresh.url}/embeddings`, {
    method: "POST",
    body: JSON.stringify({ model: SAMPLE_EMBED_MODEL, input: "x" }),
  });
  expect(await states()).toEqual([
    `${SAMPLE_CHAT_MODEL} unloaded`,
    `${SAMPLE_EMBED_MODEL} loaded`,
    `${SAMPLE_TRANSCRIBE_MODEL} unloaded`,
  ]);
  await fresh.stop();
});

describe("the sample chat", () => {
  test("says that it is a sample, repeats the question and counts its words", async () => {
    const answer = await client.chat.completions.create({ model: SAMPLE_CHAT_MODEL, messages });
    const text = answer.choices[0]?.message.content ?? "";
    expect(text).toContain("not a language model");
    expect(text).toEndWith("What is a mooring?");
    expect(answer.usage?.prompt_tokens).toBe(4);
    expect(answer.usage?.total_tokens).toBe(4 + (answer.usage?.completion_tokens ?? 0));
  });

  test("streams the same text word by word, then the finish reason, the usage if requested, and [DONE]", async () => {
    const whole = await client.chat.completions.create({ model: SAMPLE_CHAT_MODEL, messages });
    const stream = await client.chat.completions.create({
      model: SAMPLE_CHAT_MODEL,
      messages,
      stream: true,
      stream_options: { include_usage: true },
    });
    const deltas: string[] = [];
    const reasons: (string | null)[] = [];
    let usage: unknown;
    for await (const chunk of stream) {
      const choice = chunk.choices[0];
      if (choice?.delta.content) deltas.push(choice.delta.content);
      if (choice) reasons.push(choice.finish_reason);
      usage = chunk.usage ?? usage;
    }
    expect(deltas.length).toBeGreaterThan(10);
    expect(deltas.join("")).toBe(whole.choices[0]?.message.content ?? "");
    expect(reasons.at(-1)).toBe("stop");
    const { prompt_tokens, completion_tokens, total_tokens } = whole.usage ?? {};
    expect(usage).toMatchObject({ prompt_tokens, completion_tokens, total_tokens });
    const raw = await fetch(`${backend.url}/chat/completions`, {
      method: "POST",
      body: JSON.stringify({ model: SAMPLE_CHAT_MODEL, messages, stream: true }),
    });
    expect(await raw.text()).toEndWith("data: [DONE]\n\n");
  });

  test("keeps to a token limit and gives it as the finish reason", async () => {
    const answer = await client.chat.completions.create({
      model: SAMPLE_CHAT_MODEL,
      messages,
      max_completion_tokens: 3,
    });
    expect(answer.choices[0]?.message.content).toBe("This is the");
    expect(answer.choices[0]?.finish_reason).toBe("length");
  });

  test("counts as cached what began an earlier prompt, except for the last word", async () => {
    const fresh = startSampleBackend({ delayMs: 0 });
    const ask = async (...contents: readonly string[]): Promise<readonly (number | undefined)[]> => {
      const said = contents.map((content) => ({ role: "user" as const, content }));
      const openai = new OpenAI({ baseURL: fresh.url, apiKey: "none", maxRetries: 0 });
      const { usage } = await openai.chat.completions.create({ model: SAMPLE_CHAT_MODEL, messages: said });
      return [usage?.prompt_tokens, usage?.prompt_tokens_details?.cached_tokens];
    };
    expect(await ask("one two three")).toEqual([3, 0]);
    expect(await ask("one two three")).toEqual([3, 2]);
    expect(await ask("one two three", "four five")).toEqual([5, 3]);
    expect(await ask("one other")).toEqual([2, 1]);
    expect(await ask("none of them")).toEqual([3, 0]);
    await fresh.stop();
  });

  test("reads content in parts", async () => {
    const content = [
      { type: "text" as const, text: "part one" },
      { type: "text" as const, text: "part two" },
    ];
    const answer = await client.chat.completions.create({
      model: SAMPLE_CHAT_MODEL,
      messages: [{ role: "user", content }],
    });
    expect(answer.choices[0]?.message.content).toEndWith("part one part two");
  });

  test("stops the stream when the client leaves", async () => {
    const slow = startSampleBackend({ delayMs: 20 });
    const abort = new AbortController();
    const response = await fetch(`${slow.url}/chat/completions`, {
      method: "POST",
      body: JSON.stringify({ model: SAMPLE_CHAT_MODEL, messages, stream: true }),
      signal: abort.signal,
    });
    await response.body?.getReader().read();
    expect(slow.openStreams).toBe(1);
    abort.abort();
    await eventually(() => slow.openStreams === 0, "the stream is closed");
    await slow.stop();
  });
});

test("the sample answers and streams legacy completions", async () => {
  const whole = await client.completions.create({ model: SAMPLE_CHAT_MODEL, prompt: "Once" });
  const stream = await client.completions.create({ model: SAMPLE_CHAT_MODEL, prompt: "Once", stream: true });
  let text = "";
  for await (const chunk of stream) text += chunk.choices[0]?.text ?? "";
  expect(text).toEndWith("Once");
  expect(text).toBe(whole.choices[0]?.text ?? "");
});

test("the sample answers and streams the same text through the Responses API", async () => {
  const whole = await client.responses.create({ model: SAMPLE_CHAT_MODEL, input: "Ahoy" });
  expect(whole.output_text).toEndWith("Ahoy");
  const types: string[] = [];
  let text = "";
  const stream = await client.responses.create({
    model: SAMPLE_CHAT_MODEL,
    input: [{ role: "user", content: "Ahoy" }],
    stream: true,
  });
  for await (const event of stream) {
    types.push(event.type);
    if (event.type === "response.output_text.delta") text += event.delta;
    expect(event.sequence_number).toBe(types.length - 1);
  }
  expect(text).toBe(whole.output_text);
  expect(types[0]).toBe("response.created");
  expect(types.at(-1)).toBe("response.completed");
});

describe("the sample embeddings", () => {
  const similarity = (a: readonly number[], b: readonly number[]): number =>
    a.reduce((sum, value, index) => sum + value * (b[index] ?? 0), 0);

  test("have length one, are the same every time, and are similar for texts that share words", async () => {
    const input = ["the red boat in the harbour", "a red boat near the harbour", "quarterly tax report"];
    const { data } = await client.embeddings.create({ model: SAMPLE_EMBED_MODEL, input, encoding_format: "float" });
    const [boat, otherBoat, tax] = data.map(({ embedding }) => embedding);
    if (!boat || !otherBoat || !tax) throw new Error("three inputs give three vectors");
    expect(boat).toHaveLength(256);
    expect(similarity(boat, boat)).toBeCloseTo(1, 5);
    expect(similarity(boat, otherBoat)).toBeGreaterThan(0.5);
    expect(similarity(boat, tax)).toBeLessThan(0.25);
    expect(boat).toEqual([...toVector(input[0] ?? "")]);
  });

  test("are the same numbers in base64 and as floats", async () => {
    const request = { model: SAMPLE_EMBED_MODEL, input: "harbour" };
    // The client asks for base64 when nothing is said, and decodes it.
    const encoded = await client.embeddings.create(request);
    const plain = await client.embeddings.create({ ...request, encoding_format: "float" });
    expect(encoded.data[0]?.embedding).toEqual(plain.data[0]?.embedding ?? []);
  });

  test("accept one text, several texts, one token array or several, and the requested dimensions", async () => {
    const count = async (input: string | string[] | number[] | number[][]): Promise<number> =>
      (await client.embeddings.create({ model: SAMPLE_EMBED_MODEL, input, dimensions: 32 })).data.length;
    expect(await count("a")).toBe(1);
    expect(await count(["a", "b"])).toBe(2);
    expect(await count([1, 2, 3])).toBe(1);
    expect(await count([[1], [2, 3]])).toBe(2);
    const { data } = await client.embeddings.create({ model: SAMPLE_EMBED_MODEL, input: "a", dimensions: 32 });
    expect(data[0]?.embedding).toHaveLength(32);
  });

  test("are refused for no input, for empty text and for other types", async () => {
    for (const input of [[], "", [""], 5, null, [[]]]) {
      const response = await fetch(`${backend.url}/embeddings`, {
        method: "POST",
        body: JSON.stringify({ model: SAMPLE_EMBED_MODEL, input }),
      });
      expect(response.status).toBe(400);
    }
  });

  test("exist for a text without letters", () => {
    expect(Math.hypot(...toVector("!?"))).toBe(1);
  });
});

test("the sample answers 404 for an unknown model and 400 for broken JSON, with OpenAI's error object", async () => {
  const missing = client.chat.completions.create({ model: "gpt-9", messages }).catch((error: unknown) => error);
  expect(await missing).toBeInstanceOf(OpenAI.NotFoundError);
  expect(await missing).toMatchObject({ code: "model_not_found", param: "model" });
  const broken = await fetch(`${backend.url}/chat/completions`, { method: "POST", body: '{"model":' });
  expect(broken.status).toBe(400);
  expect(await broken.json()).toMatchObject({ error: { code: "invalid_json", type: "invalid_request_error" } });
  expect((await fetch(`${backend.url}/nothing`)).status).toBe(404);
});
