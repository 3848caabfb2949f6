import { afterEach, beforeEach, expect, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { eventually } from "../support/eventually.ts";
import { LegacyWorker } from "../support/legacy-worker.ts";
import { API_KEY, CLIENT_KEY, TestServer } from "../support/test-server.ts";

let server: TestServer;
const WINDOW = 64 * 1024;

beforeEach(() => {
  server = new TestServer({ windowBytes: WINDOW, legacyHoldBytes: 256 * 1024 });
});
afterEach(() => server.stop());

/** A client that sends a streaming request and then does not read. */
function stuckClient(model: string): Promise<Socket> {
  const { port } = server.listening;
  const body = JSON.stringify({ model, stream: true });
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.pause();
      socket.write(
        `POST /v1/chat/completions HTTP/1.1\r\nhost: x.example\r\nauthorization: Bearer ${API_KEY}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
      );
      resolve(socket);
    });
    socket.on("error", () => {});
  });
}

test("a client that does not read stops its own job by credit, and no other job of the same worker", async () => {
  const worker = await server.worker({ max_concurrency: 2 });
  const stuck = await stuckClient("m");
  const { id } = await worker.request();
  worker.head(id);
  // Sends as much as the worker may. Bytes that kernel buffers accept come back as credit, until the buffers are full.
  let left = WINDOW;
  let sent = 0;
  const piece = new Uint8Array(16 * 1024).fill(0x61);
  for (;;) {
    while (left >= piece.length) {
      worker.data(id, piece);
      left -= piece.length;
      sent += piece.length;
    }
    const frame = await worker.frames.take("credit", 500).catch(() => undefined);
    if (!frame) break;
    expect(frame).toMatchObject({ type: "credit", id });
    if (frame.type === "credit") left += frame.bytes;
  }
  // Credit has stopped: the server holds at most one window for the client that does not read.
  expect(sent).toBeGreaterThan(WINDOW);

  const other = server.chat("m", { stream: true });
  const next = await worker.request();
  worker.head(next.id);
  for (let count = 0; count < 50; count += 1) worker.data(next.id, `data: ${count}\n\n`);
  worker.end(next.id);
  expect((await (await other).text()).split("\n\n").length).toBe(51);

  stuck.resume();
  const more = await worker.frames.take("credit after the client reads again");
  expect(more).toMatchObject({ type: "credit", id });
  stuck.destroy();
  expect(await worker.reset()).toMatchObject({ id, code: "canceled" });
});

test("a worker that exceeds its credit is reset, and the client gets an error", async () => {
  const worker = await server.worker({ max_concurrency: 2 });
  const stuck = await stuckClient("m");
  const { id } = await worker.request();
  worker.head(id);
  const piece = new Uint8Array(512 * 1024);
  for (let count = 0; count < 20; count += 1) worker.data(id, piece);
  expect(await worker.reset()).toMatchObject({ id, code: "flow_control" });
  stuck.destroy();
  // The session itself goes on.
  const answer = server.chat("m");
  worker.answerJson((await worker.request()).id, {});
  expect((await answer).status).toBe(200);
});

test("a large request is sent in several frames and waits for the worker's credit", async () => {
  const worker = await server.worker();
  const text = "x".repeat(300_000);
  const answer = server.post("/v1/chat/completions", { model: "m", text });
  const first = await worker.request();
  let got = first.body.length;
  expect(first.end).toBe(false);
  expect(got).toBeLessThanOrEqual(WINDOW);
  const pieces = [Buffer.from(first.body)];
  let ended = false;
  while (!ended) {
    if (got % WINDOW === 0) {
      expect(worker.frames.waiting).toBe(0);
      worker.credit(first.id, WINDOW);
    }
    const frame = await worker.frames.take("request data");
    if (frame.type !== "request_data") throw new Error(`unexpected ${frame.type}`);
    pieces.push(Buffer.from(frame.body));
    got += frame.body.length;
    ended = frame.end;
  }
  expect(JSON.parse(Buffer.concat(pieces).toString())).toEqual({ model: "m", text });
  worker.answerJson(first.id, {});
  expect((await answer).status).toBe(200);
});

test("a client that reads a legacy worker's large answer late gets all of it, and no other job waits for that", async () => {
  const legacy = new LegacyWorker({
    url: server.url,
    register: { client_key: CLIENT_KEY, models: ["old"], max_concurrency: 2 },
  });
  await eventually(async () => (await server.state()).workers.length === 1, "it is there");
  const slow = await stuckClient("old");
  const { request_id } = await legacy.request();
  legacy.head(request_id, 200, { "content-type": "text/plain" });
  // More than the kernel's buffers and the hold limit take together.
  const pieces = 600;
  for (let count = 0; count < pieces; count += 1) {
    legacy.chunk(request_id, String.fromCharCode(103 + (count % 20)).repeat(32 * 1024));
    if (count % 50 === 0) await Bun.sleep(1);
  }
  legacy.end(request_id);
  const answer = server.chat("old");
  legacy.answerJson((await legacy.request()).request_id, { ok: 1 });
  expect(await (await answer).json()).toEqual({ ok: 1 });
  let received = "";
  slow.on("data", (bytes: Buffer) => {
    received += bytes.toString("latin1");
  });
  slow.resume();
  await eventually(() => received.endsWith("0\r\n\r\n"), "the answer has ended", 20_000);
  // The letters of the answer are none that the sizes of HTTP's chunks are written with.
  expect(received.slice(received.indexOf("\r\n\r\n")).replace(/[^g-z]/g, "").length).toBe(pieces * 32 * 1024);
  expect((await server.state()).server).toMatchObject({ jobs_completed_total: 2, jobs_failed_total: 0 });
  slow.destroy();
}, 30_000);

test("a legacy worker that floods a stalled client loses only that job, where there is no disk space", async () => {
  await server.stop();
  server = new TestServer({ windowBytes: WINDOW, legacyHoldBytes: 256 * 1024, spoolBytes: 0 });
  const legacy = new LegacyWorker({
    url: server.url,
    register: { client_key: CLIENT_KEY, models: ["old"], max_concurrency: 2 },
  });
  await eventually(async () => (await server.state()).workers.length === 1, "it is there");
  const stuck = await stuckClient("old");
  const { request_id } = await legacy.request();
  legacy.head(request_id, 200, { "content-type": "text/event-stream" });
  const chunk = "y".repeat(32 * 1024);
  // More than the kernel's buffers and the hold limit take together.
  for (let count = 0; count < 400; count += 1) legacy.chunk(request_id, chunk);
  expect(await legacy.cancelled()).toMatchObject({ request_id });
  const answer = server.chat("old");
  legacy.answerJson((await legacy.request()).request_id, { ok: 1 });
  expect(await (await answer).json()).toEqual({ ok: 1 });
  stuck.destroy();
});
