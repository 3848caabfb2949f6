import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Socket } from "bun";
import { eventually } from "../../support/eventually.ts";
import { CLIENT_KEY, TestServer } from "../../support/test-server.ts";
import { startRawBackend, startTestWorker } from "../../support/test-worker.ts";
import { WorkerRig } from "../../support/worker-rig.ts";

const head = (type: string, version = "1.0"): string => `HTTP/${version} 200 OK\r\ncontent-type: ${type}\r\n\r\n`;
const EVENTS = "text/event-stream";
const DELTA = 'data: {"choices":[{"delta":{"content":"half"},"finish_reason":null}]}\n\n';

/** Ends the connection a moment after the bytes, so that they arrive before it. */
function writeAndClose(socket: Socket, text: string, isReset = false): void {
  socket.write(text);
  socket.flush();
  setTimeout(() => (isReset ? socket.terminate() : socket.end()), 30);
}

describe("a response that ends with its connection", () => {
  let rig: WorkerRig;
  beforeEach(() => {
    rig = new WorkerRig();
  });
  afterEach(() => rig.stop());

  /** What the worker says of such a response: the text, and how it ended. */
  async function answerOf(path: string, type: string, body: string): Promise<{ text: string; end: string }> {
    const link = await rig.serveRaw((socket) => writeAndClose(socket, head(type) + body));
    link.open({ path }, "{}");
    let text = "";
    for (;;) {
      const frame = await link.frame();
      if ("body" in frame) text += Buffer.from(frame.body).toString();
      if (frame.type === "reset") return { text, end: `${frame.code}: ${frame.message}` };
      if ("end" in frame && frame.end) return { text, end: "end" };
    }
  }

  test.each([
    ["/chat/completions", `${DELTA}data: [DONE]\n\n`],
    ["/completions?x=1", `${DELTA}data: [DONE]\n\n`],
    ["/messages", 'event: message_stop\ndata: {"type":"message_stop"}\n\n'],
    ["/responses", 'event: response.completed\ndata: {"type":"response.completed"}\n\n'],
    ["/responses", 'event: response.failed\ndata: {"type":"response.failed"}\n\n'],
    ["/responses", 'event: response.incomplete\ndata: {"type":"response.incomplete"}\n\n'],
    ["/chat/completions", 'data: {"error":{"message":"out of memory"}}\n\n'],
    ["/custom", DELTA],
  ])("on %s is whole with its last event", async (path, body) => {
    expect(await answerOf(path, EVENTS, body)).toEqual({ text: body, end: "end" });
  });

  test.each([
    ["/chat/completions", DELTA, "without its last event"],
    ["/chat/completions", DELTA + DELTA.slice(0, 60), "inside an event"],
    ["/chat/completions", "", "without its last event"],
    ["/messages", "event: message_start\ndata: {}\n\n", "without its last event"],
    ["/responses", "event: response.created\ndata: {}\n\n", "without its last event"],
    ["/custom", DELTA.slice(0, 60), "inside an event"],
  ])("on %s is broken if it ends after %p", async (path, body, where) => {
    const end = `upstream_error: the model server's event stream ended ${where}`;
    expect(await answerOf(path, EVENTS, body)).toEqual({ text: body, end });
  });

  test("with JSON is whole if the JSON is, and broken if it is not", async () => {
    const body = '{"choices":[{"text":"}]"}]}\n';
    expect(await answerOf("/x", "application/json", body)).toEqual({ text: body, end: "end" });
    await rig.stop();
    rig = new WorkerRig();
    const end = "upstream_error: the model server's JSON ended before it was complete";
    expect(await answerOf("/x", "application/json", body.slice(0, 20))).toEqual({ text: body.slice(0, 20), end });
  });

  test("with text of any other kind is passed on, because nothing can be known of its end", async () => {
    expect(await answerOf("/x", "text/plain", "half a sen")).toEqual({ text: "half a sen", end: "end" });
  });
});

describe("a stream that its model server cut by closing the connection", () => {
  let server: TestServer;
  const running: { stop(): Promise<void> }[] = [];
  beforeEach(() => {
    server = new TestServer();
  });
  afterEach(async () => {
    for (const each of running.splice(0)) await each.stop();
    await server.stop();
  });

  async function connect(onPost: (socket: Socket) => void): Promise<void> {
    const before = (await server.state()).workers.length;
    const backend = startRawBackend(onPost);
    const worker = startTestWorker({ server: server.url, backend: backend.url, clientKeys: [CLIENT_KEY] });
    running.unshift(worker, backend);
    await eventually(async () => (await server.state()).workers.length > before, "the worker is connected");
  }

  test.each([false, true])("ends with an error event and without [DONE] (reset: %p)", async (isReset) => {
    await connect((socket) => writeAndClose(socket, head(EVENTS, "1.1") + DELTA, isReset));
    const answer = await server.chat("m", { stream: true });
    const text = await answer.text();
    expect(text).toStartWith(DELTA);
    expect(text).toContain('"code":"upstream_error"');
    expect(text).not.toContain("[DONE]");
    expect((await server.state()).server["jobs_failed_total"]).toBe(1);
  });

  test("before its first byte goes to another worker, or gets 502", async () => {
    await connect((socket) => writeAndClose(socket, head(EVENTS)));
    expect((await server.chat("m", { stream: true })).status).toBe(502);
    const whole = `${DELTA}data: [DONE]\n\n`;
    await connect((socket) => writeAndClose(socket, head(EVENTS) + whole));
    expect(await Promise.all([1, 2, 3].map(async () => (await server.chat("m", { stream: true })).text()))).toEqual([
      whole,
      whole,
      whole,
    ]);
  });
});
