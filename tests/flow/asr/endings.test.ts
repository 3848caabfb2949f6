import { afterEach, describe, expect, test } from "bun:test";
import { FORM_TYPE, formBytes, MODEL, sound } from "../../support/audio-form.ts";
import { AudioServer, receive, receiveRest } from "../../support/audio-server.ts";
import type { Config } from "../../support/default-config.ts";
import { eventually } from "../../support/eventually.ts";
import { LegacyWorker } from "../../support/legacy-worker.ts";
import type { NativeWorker, RequestFrame } from "../../support/native-worker.ts";
import { RawClient } from "../../support/raw-client.ts";
import { API_KEY, CLIENT_KEY } from "../../support/test-server.ts";

const servers: AudioServer[] = [];

function start(overrides: Partial<Config> = {}): AudioServer {
  const server = new AudioServer({ queueTimeoutMs: 2000, ...overrides });
  servers.push(server);
  return server;
}
afterEach(async () => {
  for (const server of servers.splice(0)) {
    expect(await eventually(async () => (await server.gauge("moorage_spool_bytes")) === 0, "no spool is left")).toBe(
      true,
    );
    await server.stop();
  }
});

const ANSWER = { text: "ships in the harbour" };
const STREAM = { name: "stream", value: "true" };
const ORDERS = [
  ["model first", [MODEL, sound(3_000_000)]],
  ["file first", [sound(3_000_000), MODEL]],
] as const;

/** Takes the request and as much of its body as one window carries. */
async function receiveSome(worker: NativeWorker): Promise<RequestFrame> {
  const request = await worker.request();
  await worker.frames.takeUntil((frame) => frame.type === "request_data", "some of the upload");
  return request;
}

async function connectLegacy(server: AudioServer): Promise<LegacyWorker> {
  const worker = new LegacyWorker({
    url: server.url,
    path: "/api/asr/connect",
    register: { client_key: CLIENT_KEY, models: ["m"], max_concurrency: 1 },
  });
  await eventually(async () => (await server.asrState()).workers.length > 0, "it is registered");
  return worker;
}

describe.each(ORDERS)("after the loss of a worker, %s:", (_order, fields) => {
  const whole = formBytes(fields);

  test("mid-upload, another worker gets the upload from its first byte", async () => {
    const server = start();
    const [first, second] = [await server.listener(), await server.listener()];
    const answer = server.transcribe(fields);
    await receiveSome(first);
    first.kill();
    const { request, body } = await receive(second);
    expect(body.equals(whole)).toBe(true);
    second.answerJson(request.id, ANSWER);
    expect(await (await answer).json()).toEqual(ANSWER);
  });

  test("after the upload and before the answer, another worker gets the upload too", async () => {
    const server = start();
    const [first, second] = [await server.listener(), await server.listener()];
    const answer = server.transcribe(fields);
    await receive(first);
    first.kill();
    const { request, body } = await receive(second);
    expect(body.equals(whole)).toBe(true);
    second.answerJson(request.id, ANSWER);
    expect((await answer).status).toBe(200);
  });

  test("mid-answer, the client's connection is cut, so that half a text does not look whole", async () => {
    const server = start();
    const worker = await server.listener();
    const answer = server.transcribe(fields);
    const { request } = await receive(worker);
    worker.head(request.id, 200, [["content-type", "text/plain"]], "the first half");
    const response = await answer;
    worker.kill();
    await expect(response.text()).rejects.toThrow();
  });

  test("mid-stream, the stream ends with an error event and without [DONE]", async () => {
    const server = start();
    const worker = await server.listener();
    const answer = server.transcribe([...fields, STREAM]);
    const { request } = await receive(worker);
    const delta = 'data: {"type":"transcript.text.delta","delta":"ships"}\n\n';
    worker.head(request.id, 200, undefined, delta);
    const response = await answer;
    worker.kill();
    const text = await response.text();
    expect(text).toStartWith(`${delta}data: {"error":{`);
    expect(text).toContain('"code":"worker_lost"');
    expect(text).not.toContain("[DONE]");
  });

  test("without another one, the job waits and then gets a retryable 503", async () => {
    const server = start({ queueTimeoutMs: 100 });
    const worker = await server.listener();
    const answer = server.transcribe(fields);
    await receiveSome(worker);
    worker.kill();
    const response = await answer;
    expect(response.status).toBe(503);
    expect(response.headers.get("retry-after")).not.toBeNull();
  });
});

test("a slow replay gets its own bytes while the client continues to send", async () => {
  const server = start();
  const first = await server.listener();
  const whole = formBytes([MODEL, sound(3_000_000)]);
  const client = new RawClient(server.url);
  // Past what is held in memory, and not yet a whole block of what goes to the disk.
  const cut = 1024 * 1024 + 500_000;
  await client.write(
    `POST /v1/audio/transcriptions HTTP/1.1\r\nHost: relay.example.com\r\nAuthorization: Bearer ${API_KEY}\r\n` +
      `Content-Type: ${FORM_TYPE}\r\nContent-Length: ${whole.length}\r\n\r\n`,
  );
  await client.write(whole.subarray(0, cut));
  const lost = await first.request();
  for (let got = lost.body.length; got < cut; ) {
    const frame = await first.frames.take();
    if (frame.type !== "request_data") throw new Error(frame.type);
    got += frame.body.length;
    first.credit(lost.id, frame.body.length);
  }
  // The server waits for the client's next bytes when the worker goes.
  const second = await server.listener();
  first.kill();
  const request = await second.request();
  const pieces: Uint8Array[] = [request.body];
  const receiveUntil = async (bytes: number): Promise<void> => {
    for (let got = Buffer.concat(pieces).length; got < bytes; ) {
      const frame = await second.frames.take();
      if (frame.type !== "request_data") throw new Error(frame.type);
      pieces.push(frame.body);
      got += frame.body.length;
    }
  };
  // It stops in the middle of what stands in that block,
  const stop = 1024 * 1024 + 1000;
  await receiveUntil(262_144);
  second.credit(request.id, stop - 262_144);
  await receiveUntil(stop);
  // which the client's next bytes then push out.
  const kept = await server.gauge("moorage_spool_bytes");
  void client.write(whole.subarray(cut));
  await eventually(async () => (await server.gauge("moorage_spool_bytes")) > kept, "the client has gone on");
  second.credit(request.id, whole.length);
  await receiveUntil(whole.length);
  expect(Buffer.concat(pieces).equals(whole)).toBe(true);
  await second.frames.takeUntil((frame) => frame.type === "request_data" && frame.end, "the end");
  second.answerJson(request.id, ANSWER);
  await client.readUntil("ships in the harbour");
});

test("the kept upload is released with the answer's first byte", async () => {
  const server = start();
  const worker = await server.listener();
  const answer = server.transcribe([sound(3_000_000), MODEL]);
  const { request } = await receive(worker);
  expect(await server.gauge("moorage_spool_bytes")).toBeGreaterThan(1_000_000);
  worker.head(request.id, 200, [["content-type", "text/plain"]], "a");
  const response = await answer;
  expect(await server.gauge("moorage_spool_bytes")).toBe(0);
  worker.data(request.id, "b", true);
  expect(await response.text()).toBe("ab");
});

test("without room to keep it, an upload is lost with its worker, which gives a retryable 502", async () => {
  const server = start({ spoolBytes: 0 });
  const [first] = [await server.listener(), await server.listener()];
  const answer = server.transcribe([MODEL, sound(3_000_000)]);
  const { request } = { request: await first.request() };
  await receiveRest(first, request);
  first.kill();
  const response = await answer;
  expect(response.status).toBe(502);
  expect(await response.json()).toMatchObject({ error: { code: "worker_lost" } });
});

test("without room, an upload whose model comes last is refused with a 503 that says why", async () => {
  const server = start({ spoolBytes: 1_000_000 });
  await server.listener();
  const response = await server.transcribe([sound(3_000_000), MODEL]);
  expect(response.status).toBe(503);
  expect(await response.json()).toMatchObject({ error: { code: "spool_unavailable" } });
});

test("a worker that answers before the upload ends is passed on at once", async () => {
  const server = start();
  const worker = await server.listener();
  const answer = server.transcribe([MODEL, sound(3_000_000)]);
  const request = await receiveSome(worker);
  worker.answerJson(request.id, { error: { message: "no such language" } }, 400);
  const response = await answer;
  expect(response.status).toBe(400);
  expect(await response.json()).toEqual({ error: { message: "no such language" } });
  await eventually(async () => (await server.asrState()).workers[0]?.inflight === 0, "its slot is free");
});

describe("a client that disconnects", () => {
  test.each(ORDERS)("mid-upload (%s) frees its worker", async (_order, fields) => {
    const server = start();
    const worker = await server.listener();
    const abort = new AbortController();
    const whole = formBytes(fields);
    // All but its end: with the file first the model is there, since it stands before the last boundary.
    const body = new ReadableStream<Uint8Array>({ start: (controller) => controller.enqueue(whole.subarray(0, -4)) });
    const answer = server.transcribe([], { body, signal: abort.signal }).catch(() => "gone");
    const request = await receiveSome(worker);
    abort.abort();
    expect(await answer).toBe("gone");
    expect(await worker.reset()).toMatchObject({ id: request.id, code: "canceled" });
    worker.breakOff(request.id, "canceled");
    await eventually(async () => (await server.asrState()).workers[0]?.inflight === 0, "its slot is free");
    expect((await server.asrState()).workers[0]).toMatchObject({ failures_total: 0 });
  });

  test("before its model was read leaves nothing behind", async () => {
    const server = start();
    await server.listener();
    const abort = new AbortController();
    const whole = formBytes([sound(3_000_000), MODEL]);
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(whole.subarray(0, 2_500_000)),
    });
    const answer = server.transcribe([], { body, signal: abort.signal }).catch(() => "gone");
    await eventually(async () => (await server.gauge("moorage_spool_bytes")) > 1_000_000, "it is spooled");
    abort.abort();
    expect(await answer).toBe("gone");
  });

  test("while it waits for a slot leaves the queue", async () => {
    const server = start();
    const worker = await server.listener();
    const busy = server.transcribe([MODEL, sound(10)]);
    const { request } = await receive(worker);
    const abort = new AbortController();
    const waiting = server.transcribe([sound(3_000_000), MODEL], { signal: abort.signal }).catch(() => "gone");
    await eventually(async () => (await server.asrState()).server["scheduler_queue_len"] === 1, "it waits");
    abort.abort();
    expect(await waiting).toBe("gone");
    await eventually(async () => (await server.asrState()).server["scheduler_queue_len"] === 0, "it has left");
    worker.answerJson(request.id, ANSWER);
    expect((await busy).status).toBe(200);
  });

  test("while the worker transcribes stops the worker", async () => {
    const server = start();
    const worker = await server.listener();
    const abort = new AbortController();
    const answer = server.transcribe([MODEL, sound(10)], { signal: abort.signal }).catch(() => "gone");
    await receive(worker);
    abort.abort();
    expect(await answer).toBe("gone");
    expect(await worker.reset()).toMatchObject({ code: "canceled" });
  });
});

test("uploads wait for a slot, and a waiting upload is read no further than its model", async () => {
  const server = start();
  const worker = await server.listener();
  const answers = [1, 2, 3].map((seed) => server.transcribe([MODEL, sound(2_000_000, seed)]));
  const seen: string[] = [];
  for (const _ of answers) {
    const { request, body } = await receive(worker);
    seen.push(Bun.hash(body).toString());
    worker.answerJson(request.id, ANSWER);
  }
  for (const answer of answers) expect((await answer).status).toBe(200);
  const sent = [1, 2, 3].map((seed) => Bun.hash(formBytes([MODEL, sound(2_000_000, seed)])).toString());
  expect(seen.sort()).toEqual(sent.sort());
});

describe("a legacy worker", () => {
  test("gets the upload in one message, and its answer is passed on", async () => {
    const server = start();
    const worker = await connectLegacy(server);
    const fields = [MODEL, sound(2_000_000), STREAM];
    const answer = server.transcribe(fields);
    const request = await worker.request();
    expect(Buffer.from(request.body ?? "", "base64").equals(formBytes(fields))).toBe(true);
    expect(request).toMatchObject({ method: "POST", path: "/audio/transcriptions", stream: true });
    worker.answerJson(request.request_id, ANSWER);
    expect(await (await answer).json()).toEqual(ANSWER);
  });

  test("gets an upload of 70 MiB", async () => {
    const server = start();
    const worker = await connectLegacy(server);
    const fields = [MODEL, sound(70 * 1024 * 1024)];
    const answer = server.transcribe(fields);
    const request = await worker.request();
    expect(Buffer.from(request.body ?? "", "base64").equals(formBytes(fields))).toBe(true);
    worker.answerJson(request.request_id, ANSWER);
    expect((await answer).status).toBe(200);
  }, 30_000);

  test("that has not seen the upload of a disconnected client is free at once and gets no message", async () => {
    const server = start({ confirmTimeoutMs: 60_000 });
    const worker = await connectLegacy(server);
    const abort = new AbortController();
    const whole = formBytes([MODEL, sound(2_000_000)]);
    const body = new ReadableStream<Uint8Array>({ start: (controller) => controller.enqueue(whole.subarray(0, -4)) });
    const answer = server.transcribe([], { body, signal: abort.signal }).catch(() => "gone");
    await eventually(async () => (await server.asrState()).workers[0]?.inflight === 1, "it is on its way");
    abort.abort();
    expect(await answer).toBe("gone");
    await eventually(async () => (await server.asrState()).workers[0]?.inflight === 0, "its slot is free");
    expect(worker.messages.waiting).toBe(0);
  });

  test("does not get an upload that is too large for one message: a native worker gets it, or the client gets 413", async () => {
    const server = start({ legacyBodyBytes: 1024 * 1024 });
    await connectLegacy(server);
    const large = [MODEL, sound(2_000_000)];
    const whole = formBytes(large);
    // A declared length is judged at once, and a body without one when it is larger than the limit.
    for (const body of [whole, new Blob([whole]).stream()]) {
      const refused = await server.transcribe([], { body });
      expect(refused.status).toBe(413);
      expect(await refused.json()).toMatchObject({ error: { code: "request_too_large" } });
    }
    const other = await server.listener();
    const answer = server.transcribe(large);
    const { request, body } = await receive(other);
    expect(body.length).toBe(formBytes(large).length);
    other.answerJson(request.id, ANSWER);
    expect((await answer).status).toBe(200);
  });
});

test("a drain waits for a running upload and its answer", async () => {
  const server = start();
  const worker = await server.listener();
  const answer = server.transcribe([MODEL, sound(2_000_000)]);
  const request = await receiveSome(worker);
  const drained = server.app.drain();
  await worker.texts.takeUntil((text) => text["type"] === "drain", "drain");
  worker.credit(request.id, 3_000_000);
  await worker.frames.takeUntil((frame) => frame.type === "request_data" && frame.end, "the end");
  worker.answerJson(request.id, ANSWER);
  expect((await answer).status).toBe(200);
  await drained;
});
