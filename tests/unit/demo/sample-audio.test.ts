import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import OpenAI from "openai";
import { SAMPLE_TRANSCRIBE_MODEL, type SampleBackend, startSampleBackend } from "../../../src/demo/sample-backend.ts";

let backend: SampleBackend;
let client: OpenAI;
const wav = Bun.file(new URL("../../../docs/sample.wav", import.meta.url));
const SECONDS = 2.13;
const TEXT =
  "This is Moorage's sample transcriber; it ignores the audio. The file speech.wav contains 2.1 seconds of audio at 16000 Hz in 1 channel.";

beforeAll(() => {
  backend = startSampleBackend({ delayMs: 0 });
  client = new OpenAI({ baseURL: backend.url, apiKey: "none", maxRetries: 0 });
});
afterAll(() => backend.stop());

async function speech(): Promise<File> {
  return new File([await wav.arrayBuffer()], "speech.wav", { type: "audio/wav" });
}

async function post(fields: Readonly<Record<string, string | File>>, path = "transcriptions"): Promise<Response> {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  return fetch(`${backend.url}/audio/${path}`, { method: "POST", body: form });
}

describe("a transcript describes the upload and says that nothing was heard", () => {
  test("as JSON, the default, with the seconds used", async () => {
    const answer = await client.audio.transcriptions.create({ model: SAMPLE_TRANSCRIBE_MODEL, file: await speech() });
    expect<unknown>(answer).toEqual({ text: TEXT, usage: { type: "duration", seconds: SECONDS } });
  });

  test("as text", async () => {
    const response = await post({ file: await speech(), model: SAMPLE_TRANSCRIBE_MODEL, response_format: "text" });
    expect(response.headers.get("content-type")).toBe("text/plain; charset=utf-8");
    expect(response.headers.get("x-moorage-sample")).toBe("true");
    expect(await response.text()).toBe(`${TEXT}\n`);
  });

  test("as subtitles and as WebVTT, from the recording's start to its end", async () => {
    const fields = { file: await speech(), model: SAMPLE_TRANSCRIBE_MODEL };
    const srt = await (await post({ ...fields, response_format: "srt" })).text();
    expect(srt).toStartWith("1\n00:00:00,000 --> 00:00:01,065\nThis is");
    expect(srt).toContain("\n\n2\n00:00:01,065 --> 00:00:02,130\nThe file");
    const vtt = await (await post({ ...fields, response_format: "vtt" })).text();
    expect(vtt).toStartWith("WEBVTT\n\n00:00:00.000 --> 00:00:01.065\nThis is");
  });

  test("as verbose JSON, with segments that add up to the text", async () => {
    const answer = await client.audio.transcriptions.create({
      model: SAMPLE_TRANSCRIBE_MODEL,
      file: await speech(),
      response_format: "verbose_json",
    });
    expect(answer).toMatchObject({ task: "transcribe", language: "english", duration: SECONDS, text: TEXT });
    expect(answer.segments?.map(({ text }) => text).join(" ")).toBe(TEXT);
    expect(answer.segments?.map(({ start, end }) => [start, end])).toEqual([
      [0, SECONDS / 2],
      [SECONDS / 2, SECONDS],
    ]);
  });

  test("as diarized JSON, with a speaker in every segment", async () => {
    const fields = { file: await speech(), model: SAMPLE_TRANSCRIBE_MODEL, response_format: "diarized_json" };
    expect(await (await post(fields)).json()).toMatchObject({
      task: "transcribe",
      duration: SECONDS,
      text: TEXT,
      segments: [
        { id: "seg_0", type: "transcript.text.segment", speaker: "A", start: 0 },
        { id: "seg_1", type: "transcript.text.segment", speaker: "A", end: SECONDS },
      ],
      usage: { type: "duration", seconds: SECONDS },
    });
  });

  test("as a stream of words, then the whole text with the seconds used, then [DONE]", async () => {
    const file = await speech();
    const stream = await client.audio.transcriptions.create({ model: SAMPLE_TRANSCRIBE_MODEL, file, stream: true });
    const deltas: string[] = [];
    let done: unknown;
    for await (const event of stream) {
      if (event.type === "transcript.text.delta") deltas.push(event.delta);
      else done = event;
    }
    expect(deltas.length).toBeGreaterThan(10);
    expect(deltas.join("")).toBe(TEXT);
    expect(done).toEqual({
      type: "transcript.text.done",
      text: TEXT,
      usage: { type: "duration", seconds: SECONDS },
    });
    const raw = await post({ file, model: SAMPLE_TRANSCRIBE_MODEL, stream: "true" });
    expect(raw.headers.get("content-type")).toBe("text/event-stream");
    expect(await raw.text()).toEndWith("data: [DONE]\n\n");
  });

  test("for a translation as well", async () => {
    const answer = await client.audio.translations.create({ model: SAMPLE_TRANSCRIBE_MODEL, file: await speech() });
    expect(answer.text).toBe(TEXT);
    const verbose = { file: await speech(), model: SAMPLE_TRANSCRIBE_MODEL, response_format: "verbose_json" };
    expect(await (await post(verbose, "translations")).json()).toMatchObject({ task: "translate" });
  });

  test("for a file whose length only a decoder could determine, without a length", async () => {
    const file = new File(["not a recording"], "song.mp3", { type: "audio/mpeg" });
    const response = await post({ file, model: SAMPLE_TRANSCRIBE_MODEL });
    expect(await response.json()).toEqual({
      text: "This is Moorage's sample transcriber; it ignores the audio. The file song.mp3 has 15 bytes of audio/mpeg and is not an uncompressed WAV file, so its duration is unknown.",
    });
  });
});

describe("a form that cannot be served is refused with OpenAI's error object", () => {
  const file = new File(["x"], "x.wav");
  const model = SAMPLE_TRANSCRIBE_MODEL;

  test.each([
    ["without a file", { model }, 400, "file"],
    ["with text for a file", { model, file: "text" }, 400, "file"],
    ["without a model", { file }, 400, "model"],
    ["with an empty model", { file, model: "" }, 400, "model"],
    ["with another model", { file, model: "whisper-1" }, 404, "model"],
    ["with an unknown response_format", { file, model, response_format: "xml" }, 400, "response_format"],
  ] as const)("%s", async (_, fields, status, param) => {
    const response = await post(fields);
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ error: { type: "invalid_request_error", param } });
  });

  test("if it is no form at all", async () => {
    const response = await fetch(`${backend.url}/audio/transcriptions`, { method: "POST", body: "{}" });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: { code: "invalid_request" } });
  });
});
