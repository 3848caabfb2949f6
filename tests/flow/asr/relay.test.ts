import { afterEach, describe, expect, test } from "bun:test";
import { systemClock } from "../../../src/system/clock.ts";
import type { Deps } from "../../../src/system/deps.ts";
import { FORM_TYPE, formBytes, MODEL, sound } from "../../support/audio-form.ts";
import { AudioServer, receive } from "../../support/audio-server.ts";
import type { Config } from "../../support/default-config.ts";
import { eventually, untilStill } from "../../support/eventually.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { API_KEY } from "../../support/test-server.ts";

const servers: AudioServer[] = [];

function start(overrides: Partial<Config> = {}, deps: Partial<Deps> = {}): AudioServer {
  const server = new AudioServer(overrides, deps);
  servers.push(server);
  return server;
}
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
});

const ANSWER = { text: "ships in the harbour", usage: { type: "duration", seconds: 2.5 } };
const STREAM = { name: "stream", value: "true" };
const WORDS = { name: "timestamp_granularities[]", value: "word" };

describe("an upload reaches its worker byte for byte", () => {
  test.each([
    ["with the model before the file", [MODEL, WORDS, sound(3_000_000)]],
    ["with the model after the file", [sound(3_000_000), WORDS, MODEL]],
    ["when it is small", [sound(1000), MODEL]],
    ["when its file is empty", [sound(0), MODEL]],
  ])("%s", async (_how, fields) => {
    const server = start();
    const worker = await server.listener();
    const answer = server.transcribe(fields);
    const { request, body } = await receive(worker);
    worker.answerJson(request.id, ANSWER);
    const whole = formBytes(fields);
    expect(body.equals(whole)).toBe(true);
    expect(request.head).toMatchObject({ method: "POST", path: "/audio/transcriptions" });
    const headers = Object.fromEntries(request.head.headers);
    expect(headers).toMatchObject({ "content-type": FORM_TYPE, "content-length": String(whole.length) });
    expect(headers["authorization"]).toBeUndefined();
    const response = await answer;
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual(ANSWER);
    expect(await server.gauge("moorage_spool_bytes")).toBe(0);
  });

  test("if it arrives in chunks without a declared length", async () => {
    const server = start();
    const worker = await server.listener();
    const whole = formBytes([sound(200_000), MODEL]);
    let at = 0;
    const body = new ReadableStream<Uint8Array>({
      async pull(controller) {
        if (at >= whole.length) return controller.close();
        controller.enqueue(whole.subarray(at, at + 7001));
        at += 7001;
      },
    });
    const answer = server.transcribe([], { body });
    const received = await receive(worker);
    expect(received.body.equals(whole)).toBe(true);
    expect(Object.fromEntries(received.request.head.headers)["content-length"]).toBeUndefined();
    worker.answerJson(received.request.id, ANSWER);
    expect((await answer).status).toBe(200);
  });

  test("for translations too, under the long base URL, with the query", async () => {
    const server = start();
    const worker = await server.listener();
    const answer = server.fetch("/api/asr/v1/audio/translations?x=1", {
      method: "POST",
      body: formBytes([MODEL, sound(10)]),
      headers: { "content-type": FORM_TYPE },
    });
    const { request } = await receive(worker);
    expect(request.head.path).toBe("/audio/translations?x=1");
    worker.answerJson(request.id, ANSWER);
    expect((await answer).status).toBe(200);
  });
});

describe("with flow control from the client's socket to the worker's backend,", () => {
  test("a worker that reads nothing stops the client", async () => {
    const server = start({ windowBytes: 65_536 });
    const worker = await server.listener();
    const whole = formBytes([MODEL, sound(64 * 1024)]);
    let sent = 0;
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        // Its first piece opens the file, and what follows is sound without an end.
        controller.enqueue(sent === 0 ? whole.subarray(0, whole.length - 200) : new Uint8Array(64 * 1024));
        sent += 64 * 1024;
      },
    });
    const abort = new AbortController();
    const answer = server.transcribe([], { body, signal: abort.signal }).catch(() => undefined);
    await worker.request();
    // Sockets have buffers of a few megabytes.
    await untilStill(() => sent, "the client waits");
    expect(sent).toBeLessThan(16 * 1024 * 1024);
    expect(await server.gauge("moorage_spool_bytes")).toBe(0);
    abort.abort();
    await answer;
    await worker.reset();
  });

  test("a slow client's bytes reach the worker as they arrive", async () => {
    const server = start();
    const worker = await server.listener();
    const whole = formBytes([MODEL, sound(1000)]);
    const more = Promise.withResolvers<void>();
    const cut = whole.length - 500;
    let isFirst = true;
    const body = new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          if (isFirst) controller.enqueue(whole.subarray(0, cut));
          else {
            await more.promise;
            controller.enqueue(whole.subarray(cut));
            controller.close();
          }
          isFirst = false;
        },
      },
      { highWaterMark: 0 },
    );
    const answer = server.transcribe([], { body });
    const request = await worker.request();
    const first = await worker.frames.take();
    if (first.type !== "request_data") throw new Error(`got ${first.type}`);
    expect(Buffer.from(first.body).equals(whole.subarray(0, cut))).toBe(true);
    more.resolve();
    await worker.frames.takeUntil((frame) => frame.type === "request_data" && frame.end, "the end");
    worker.answerJson(request.id, ANSWER);
    expect((await answer).status).toBe(200);
  });
});

describe("silence of a backend", () => {
  test("is allowed for ASR_REQUEST_TIMEOUT, whatever REQUEST_TIMEOUT is", async () => {
    const clock = new FakeClock();
    const server = start({ requestTimeoutMs: 100, asrRequestTimeoutMs: 60_000, pingIntervalMs: 3_600_000 }, { clock });
    const worker = await server.listener();
    const answer = server.transcribe([MODEL, sound(10)]);
    const { request } = await receive(worker);
    expect(request.head.timeout_ms).toBe(60_000);
    clock.advance(59_999);
    worker.answerJson(request.id, ANSWER);
    expect((await answer).status).toBe(200);
  });

  test("beyond that gives 504, and the worker is reset", async () => {
    const clock = new FakeClock();
    const server = start({ asrRequestTimeoutMs: 60_000, pingIntervalMs: 3_600_000 }, { clock });
    const worker = await server.listener();
    const answer = server.transcribe([MODEL, sound(10)]);
    await receive(worker);
    clock.advance(60_000);
    expect((await answer).status).toBe(504);
    expect(await worker.reset()).toMatchObject({ code: "timeout" });
  });
});

describe("a transcription request", () => {
  test("whose stream field comes last is kept alive while it waits, and its events are passed on", async () => {
    const server = start({ earlyHeadersMs: 30, keepaliveIntervalMs: 1000 });
    const worker = await server.listener();
    const answer = server.transcribe([MODEL, sound(2_000_000), STREAM]);
    const { request } = await receive(worker);
    const response = await answer;
    expect(response.headers.get("content-type")).toStartWith("text/event-stream");
    const events = 'data: {"type":"transcript.text.done","text":"x"}\n\ndata: [DONE]\n\n';
    worker.head(request.id, 200, undefined, events, true);
    expect(await response.text()).toBe(`: keep-alive\n${events}`);
  });

  test("that does not stream gets nothing before its answer", async () => {
    const clock = new FakeClock();
    const server = start({ earlyHeadersMs: 20, keepaliveIntervalMs: 100 }, { clock });
    const worker = await server.listener();
    const answer = server.transcribe([MODEL, sound(10)]);
    const { request } = await receive(worker);
    clock.advance(1000);
    worker.answerJson(request.id, { error: { message: "bad audio" } }, 400);
    const response = await answer;
    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({ error: { message: "bad audio" } });
  });
});

test.each([
  ["application/json", '{"task":"transcribe","duration":8.5,"text":"x","segments":[]}', 8.5],
  ["text/plain", "just text", undefined],
  ["application/x-subrip", "1\n00:00:00,000 --> 00:00:02,000\nx\n", undefined],
  ["text/vtt", "WEBVTT\n\n00:00.000 --> 00:02.000\nx\n", undefined],
])("an answer of type %s is passed on unchanged", async (type, text, seconds) => {
  const server = start();
  const worker = await server.listener();
  const answer = server.transcribe([MODEL, sound(10)]);
  const { request } = await receive(worker);
  worker.head(request.id, 200, [["content-type", type]], text, true);
  const response = await answer;
  expect(response.headers.get("content-type")).toBe(type);
  expect(await response.text()).toBe(text);
  const metrics = await (await server.fetch("/metrics")).text();
  expect(/moorage_audio_seconds_total\{.*\} (.*)/.exec(metrics)?.[1]).toBe(seconds === undefined ? undefined : "8.5");
});

describe("an upload is refused", () => {
  test.each([
    ["without a file", formBytes([MODEL]), FORM_TYPE, 400, "file"],
    ["without a model", formBytes([sound(10)]), FORM_TYPE, 400, "model"],
    ["without a boundary", formBytes([MODEL, sound(10)]), "multipart/form-data", 400, "boundary"],
    ["as JSON", Buffer.from('{"model":"m"}'), "application/json", 415, "content-type"],
    ["that breaks off", formBytes([sound(10), MODEL]).subarray(0, -10), FORM_TYPE, 400, null],
    ["for a model nobody has", formBytes([sound(10), { name: "model", value: "n" }]), FORM_TYPE, 404, "model"],
  ])("%s", async (_what, body, type, status, param) => {
    const server = start();
    const worker = await server.listener();
    const response = await server.transcribe([], { body, headers: { "content-type": type } });
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ error: { param, type: "invalid_request_error" } });
    // Whatever of it had reached a worker is taken back, and is not that worker's failure.
    await eventually(async () => (await server.asrState()).server["jobs_inflight_total"] === 0, "it is over");
    if (worker.frames.waiting > 0) worker.breakOff((await worker.request()).id, "canceled");
    await eventually(async () => (await server.asrState()).workers[0]?.inflight === 0, "its slot is free");
    expect((await server.asrState()).workers[0]).toMatchObject({ failures_total: 0 });
  });

  test("with 413 if it declares too large a size, and as soon as it exceeds the limit", async () => {
    const server = start({ maxAudioBodyBytes: 100_000 });
    const worker = await server.listener();
    const declared = await server.transcribe([MODEL, sound(200_000)]);
    expect(declared.status).toBe(413);
    expect(await declared.text()).toContain("MAX_AUDIO_BODY_BYTES");
    expect(worker.frames.waiting).toBe(0);
    const whole = formBytes([MODEL, sound(200_000)]);
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        for (let at = 0; at < whole.length; at += 10_000) controller.enqueue(whole.subarray(at, at + 10_000));
        controller.close();
      },
    });
    const counted = await server.transcribe([], { body });
    expect(counted.status).toBe(413);
    expect(await counted.json()).toMatchObject({ error: { code: "request_too_large" } });
  });

  test("without a key before a byte of it is read, and accepted with any form of a key", async () => {
    const server = start();
    const worker = await server.listener();
    const ask = (headers: Record<string, string>): Promise<Response> =>
      fetch(`${server.url}/v1/audio/transcriptions`, {
        method: "POST",
        body: formBytes([MODEL, sound(10)]),
        headers: { "content-type": FORM_TYPE, ...headers },
      });
    const wrong: readonly Record<string, string>[] = [{}, { authorization: "Bearer wrong" }, { "x-api-key": "wrong" }];
    for (const headers of wrong) {
      expect((await ask(headers)).status).toBe(401);
    }
    expect(worker.frames.waiting).toBe(0);
    const right: readonly Record<string, string>[] = [
      { authorization: `bearer ${API_KEY}` },
      { "x-api-key": API_KEY },
      { "api-key": API_KEY },
    ];
    for (const headers of right) {
      const answer = ask(headers);
      const { request } = await receive(worker);
      worker.answerJson(request.id, ANSWER);
      expect((await answer).status).toBe(200);
    }
  });

  test("while the server drains", async () => {
    const server = start();
    await server.listener();
    await server.app.drain();
    expect((await server.transcribe([MODEL, sound(10)])).status).toBe(503);
  });
});

test.each(["/v1//audio/transcriptions", "/v1/audio/transcriptions/", "//v1/audio//transcriptions//"])(
  "%s is the same route, without a redirect",
  async (path) => {
    const server = start();
    const worker = await server.listener();
    const body = formBytes([MODEL, sound(10)]);
    const answer = server.fetch(path, {
      method: "POST",
      body,
      headers: { "content-type": FORM_TYPE },
      redirect: "error",
    });
    const { request } = await receive(worker);
    expect(request.head.path).toBe("/audio/transcriptions");
    worker.answerJson(request.id, ANSWER);
    expect((await answer).status).toBe(200);
  },
);

test("models are listed under both base URLs, each once, together with those of other plugins", async () => {
  const server = start();
  await server.listener({ models: ["whisper/large:v3", "shared"] });
  await server.worker({ models: ["chat", "shared"] });
  const ids = async (path: string): Promise<string[]> => {
    const list = (await (await server.fetch(path)).json()) as { data: { id: string }[] }; // held by the models' own tests
    return list.data.map(({ id }) => id);
  };
  expect(await ids("/api/asr/v1/models")).toEqual(["shared", "whisper/large:v3"]);
  expect(await ids("/v1/models")).toEqual(["chat", "shared", "whisper/large:v3"]);
  expect((await server.fetch("/api/asr/v1/models/whisper/large:v3")).status).toBe(200);
  expect((await server.fetch("/api/asr/v1/models/chat")).status).toBe(404);
});

test("a model that several plugins serve was created when the first of them saw it", async () => {
  let aheadMs = 0;
  const server = start({}, { clock: { ...systemClock, now: () => Date.now() + aheadMs } });
  const createdOf = async (path: string): Promise<number> => {
    const card = (await (await server.fetch(path)).json()) as { created: number }; // held by the models' own tests
    return card.created;
  };
  await server.listener({ models: ["shared"] });
  const first = await createdOf("/v1/models/shared");
  aheadMs = 3_600_000;
  await server.worker({ models: ["shared"] });
  expect(await createdOf("/v1/models/shared")).toBe(first);
});

test("the state and the page show the plugin, its workers and the transcribed seconds", async () => {
  const server = start();
  const worker = await server.listener({ worker_name: "ear <1>" });
  const answer = server.transcribe([MODEL, sound(10)]);
  const { request } = await receive(worker);
  worker.answerJson(request.id, ANSWER);
  await answer;
  const state = await server.asrState();
  expect(state.workers[0]).toMatchObject({ name: "ear <1>", processed_total: 1, audio_seconds_total: 2.5 });
  const view = await (await server.fetch("/api/state/view/asr.html")).text();
  expect(view).toContain('data-plugin="asr"');
  // Bindings alone: names are put in by the page, as text.
  expect(view).not.toContain("&lt;1");
});
