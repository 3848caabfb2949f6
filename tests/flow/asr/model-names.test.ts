import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { FORM_TYPE, type FormField, formBytes, sound } from "../../support/audio-form.ts";
import { AudioServer, receive } from "../../support/audio-server.ts";
import { eventually } from "../../support/eventually.ts";
import { LegacyWorker } from "../../support/legacy-worker.ts";
import { CLIENT_KEY } from "../../support/test-server.ts";

let server: AudioServer;

beforeEach(() => {
  server = new AudioServer({ queueTimeoutMs: 300 });
});
afterEach(() => server.stop());

const named = (value: string): FormField => ({ name: "model", value });
const WORDS: FormField = { name: "timestamp_granularities[]", value: "word" };

describe.each([
  ["whisper:large-v3", "whisper:large-v3-q5"],
  ["org/whisper:large-q8", "org/whisper:large"],
  ["voxtral", "voxtral:latest"],
])("audio for '%s' goes to a worker of '%s'", (asked, listed) => {
  test.each([
    ["before", (model: FormField) => [model, WORDS, sound(400_000)]],
    ["after", (model: FormField) => [sound(400_000), WORDS, model]],
  ])("with that name in a form that names the model %s the file", async (_where, fields) => {
    const worker = await server.listener({ models: [listed] });
    const answer = server.transcribe(fields(named(asked)));
    const { request, body } = await receive(worker);
    const expected = formBytes(fields(named(listed)));
    expect(body.equals(expected)).toBe(true);
    expect(Object.fromEntries(request.head.headers)["content-length"]).toBe(String(expected.length));
    worker.answerJson(request.id, { text: "ships" });
    const response = await answer;
    expect([response.status, response.headers.get("x-moorage-model")]).toEqual([200, listed]);
    expect(await (await server.fetch(`/v1/models/${asked}`)).json()).toMatchObject({ id: listed });
  });
});

test.each(["whisper:large-v3", "hören:groß"])(
  "a legacy agent gets the form under its own name for '%s', with the right length",
  async (asked) => {
    const listed = `${asked}-q5`;
    const agent = new LegacyWorker({
      url: server.url,
      path: "/api/asr/connect",
      register: { client_key: CLIENT_KEY, models: [listed], max_concurrency: 1 },
    });
    await eventually(async () => (await server.asrState()).workers.length === 1, "the agent is there");
    const answer = server.transcribe([named(asked), WORDS, sound(50_000)]);
    const { request_id, body = "", headers } = await agent.request();
    const expected = formBytes([named(listed), WORDS, sound(50_000)]);
    expect(Buffer.from(body, "base64").equals(expected)).toBe(true);
    expect([undefined, String(expected.length)]).toContain(headers["content-length"]);
    agent.head(request_id, 200, { "content-type": "application/json" });
    agent.chunk(request_id, "{}");
    agent.end(request_id);
    expect((await answer).status).toBe(200);
  },
);

test("a worker that is lost is replaced by one with another name for the model", async () => {
  const [first] = [await server.listener({ models: ["whisper:small"] })];
  const second = await server.listener({ models: ["whisper:small-fp16"] });
  const fields = [named("whisper:small"), sound(50_000)];
  const answer = server.transcribe(fields);
  expect((await receive(first)).body.equals(formBytes(fields))).toBe(true);
  first.kill();
  const { request, body } = await receive(second);
  expect(body.equals(formBytes([named("whisper:small-fp16"), sound(50_000)]))).toBe(true);
  worker200(second, request.id);
  expect((await answer).status).toBe(200);
});

test("the length is left out where the name's bytes in the form are not known, and the form is still whole", async () => {
  const worker = await server.listener({ models: ["hören:groß-q4"] });
  const answer = server.transcribe([named("hören:groß"), sound(1000)]);
  const { request, body } = await receive(worker);
  expect(body.equals(formBytes([named("hören:groß-q4"), sound(1000)]))).toBe(true);
  expect(request.head.headers.some(([name]) => name === "content-length")).toBe(false);
  worker200(worker, request.id);
  expect((await answer).headers.get("x-moorage-model")).toBe("h%C3%B6ren:gro%C3%9F-q4");
});

test("a form that names the model twice is refused when its name would have to be changed", async () => {
  const worker = await server.listener({ models: ["whisper:small-q4"] });
  const answer = server.transcribe([named("whisper:small"), named("whisper:small"), sound(1000)]);
  await worker.request();
  const response = await answer;
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({ error: { code: "invalid_request", param: "model" } });
});

test("a form under the listed name is passed on untouched, with the name twice and odd spacing", async () => {
  const worker = await server.listener({ models: ["m"] });
  const body = formBytes([named("m"), named("m"), sound(1000)]);
  const answer = server.transcribe([], { body, headers: { "content-type": FORM_TYPE } });
  const received = await receive(worker);
  expect(received.body.equals(body)).toBe(true);
  worker200(worker, received.request.id);
  expect((await answer).headers.get("x-moorage-model")).toBeNull();
});

function worker200(worker: { answerJson(id: number, json: unknown): void }, id: number): void {
  worker.answerJson(id, { text: "ships" });
}
