import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import OpenAI from "openai";
import { SAMPLE_TRANSCRIBE_MODEL, type SampleBackend, startSampleBackend } from "../../../src/demo/sample-backend.ts";
import type { Worker } from "../../../src/worker/worker.ts";
import { AudioServer } from "../../support/audio-server.ts";
import { eventually } from "../../support/eventually.ts";
import { API_KEY } from "../../support/test-server.ts";
import { startBackend, startTestWorker } from "../../support/test-worker.ts";

const WAV = join(import.meta.dir, "../../../docs/sample.wav");

let server: AudioServer;
let backend: SampleBackend;
let worker: Worker;
let client: OpenAI;

beforeAll(async () => {
  server = new AudioServer();
  backend = startSampleBackend();
  worker = startTestWorker({ kinds: ["asr"], server: server.url, backend: backend.url });
  await worker.registered;
  client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: API_KEY, maxRetries: 0 });
});
afterAll(async () => {
  await worker.stop();
  await backend.stop();
  await server.stop();
});

/** Their promises are lazy ones of their own, which `rejects` does not wait for. */
function errorOf(call: PromiseLike<unknown>): PromiseLike<unknown> {
  return call.then(
    () => undefined,
    (error: unknown) => error,
  );
}

const model = SAMPLE_TRANSCRIBE_MODEL;
const file = () => Bun.file(WAV) as unknown as File; // what the client asks of a file, Bun's has

describe("the official client transcribes", () => {
  test("to JSON, and the reported seconds are counted", async () => {
    const answer = await client.audio.transcriptions.create({ file: file(), model });
    expect(answer.text).toContain("16000 Hz");
    expect(answer.usage).toMatchObject({ type: "duration" });
    expect((await server.asrState()).workers[0]?.["audio_seconds_total"]).toBeGreaterThan(2);
  });

  test.each(["text", "srt", "vtt"] as const)("to %s", async (response_format) => {
    const answer = await client.audio.transcriptions.create({ file: file(), model, response_format });
    expect(String(answer)).toContain("16000 Hz");
  });

  test("to verbose JSON, with timestamps asked for in fields with brackets", async () => {
    const answer = await client.audio.transcriptions.create({
      file: file(),
      model,
      response_format: "verbose_json",
      timestamp_granularities: ["segment"],
    });
    expect(answer.duration).toBeGreaterThan(2);
    expect(answer.segments?.map(({ text }) => text).join(" ")).toContain("16000 Hz");
  });

  test("to diarized JSON", async () => {
    const answer = await client.audio.transcriptions.create({ file: file(), model, response_format: "diarized_json" });
    expect(answer).toMatchObject({ segments: expect.arrayContaining([expect.objectContaining({ speaker: "A" })]) });
  });

  test("as a stream of deltas that ends with the whole text", async () => {
    const stream = await client.audio.transcriptions.create({ file: file(), model, stream: true });
    let deltas = "";
    let whole: string | undefined;
    for await (const event of stream) {
      if (event.type === "transcript.text.delta") deltas += event.delta;
      else if (event.type === "transcript.text.done") whole = event.text;
    }
    expect(whole).toContain("16000 Hz");
    expect(deltas).toBe(whole ?? "");
  });

  test("by translation too", async () => {
    const answer = await client.audio.translations.create({ file: file(), model });
    expect(answer.text).toContain("16000 Hz");
  });
});

test("errors reach the official client as those of the API", async () => {
  const unknown = client.audio.transcriptions.create({ file: file(), model: "nobody-has-it" });
  expect(await errorOf(unknown)).toBeInstanceOf(OpenAI.NotFoundError);
  // The sample's own answer: its type knows the formats there are.
  const sonnet = client.audio.transcriptions.create({ file: file(), model, response_format: "sonnet" as "json" });
  expect(await errorOf(sonnet)).toBeInstanceOf(OpenAI.BadRequestError);
});

test("an abort during the upload reaches the backend and frees the slot", async () => {
  const aborted = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  const slow = startBackend(
    async (request) => {
      request.signal.addEventListener("abort", () => aborted.resolve());
      const reader = request.body?.getReader();
      await reader?.read();
      begun.resolve();
      // Takes no more: the upload stands still in the middle.
      await aborted.promise;
      return new Response();
    },
    { models: ["slow"] },
  );
  const other = startTestWorker({ kinds: ["asr"], server: server.url, backend: slow.url, name: "slow one" });
  await other.registered;
  const abort = new AbortController();
  const sound = new File([new Uint8Array(40 * 1024 * 1024)], "long.wav");
  const answer = client.audio.transcriptions.create({ file: sound, model: "slow" }, { signal: abort.signal });
  const error = errorOf(answer);
  await begun.promise;
  abort.abort();
  expect(await error).toBeInstanceOf(OpenAI.APIUserAbortError);
  await aborted.promise;
  await eventually(async () => {
    const state = await server.asrState();
    return state.workers.every(({ inflight }) => inflight === 0);
  }, "every slot is free");
  expect(await server.gauge("moorage_spool_bytes")).toBe(0);
  await other.stop();
  await slow.stop();
});
