import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { encodeResponse } from "../../../src/wire/frame.ts";
import type { HeaderPairs } from "../../../src/wire/heads.ts";
import { editedBody } from "../../../src/worker/edit-body.ts";
import { eventually } from "../../support/eventually.ts";
import { LegacyWorker } from "../../support/legacy-worker.ts";
import type { NativeWorker, RequestFrame } from "../../support/native-worker.ts";
import { CLIENT_KEY, TestServer } from "../../support/test-server.ts";

const SSE: HeaderPairs = [["content-type", "text/event-stream"]];
const HELLO = 'data: {"choices":[{"index":0,"delta":{"content":"hello"}}]}\n\n';
const FINISH = 'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n';
const USAGE = 'data: {"choices":[],"usage":{"prompt_tokens":12,"completion_tokens":34}}\n\n';
const DONE = "data: [DONE]\n\n";

let server: TestServer;
let worker: NativeWorker;
beforeEach(async () => {
  server = new TestServer();
  worker = await server.worker({ worker_id: "w", max_concurrency: 8 });
});
afterEach(() => server.stop());

/** Answers as a worker does that has asked its backend for the usage. */
function answerMetered(id: number, ...events: readonly string[]): void {
  worker.send(encodeResponse(id, { status: 200, headers: SSE, metered: true }, Buffer.from(events[0] ?? ""), false));
  for (const event of events.slice(1)) worker.data(id, event);
  worker.end(id);
}

/** The request's body as a worker sends it that asks its backend for the usage. */
function changed({ head, body }: RequestFrame): unknown {
  const edit = head.metered ?? expect.unreachable();
  return JSON.parse(Buffer.from(editedBody(body, edit) as Uint8Array).toString()); // a whole body stays whole
}

async function totals(): Promise<Readonly<Record<string, unknown>>> {
  return (await server.state()).workers[0] ?? expect.unreachable();
}

describe("a stream whose client did not ask for its usage", () => {
  test("is counted by what the worker was told, which the client does not see", async () => {
    const answer = server.chat("m", { stream: true });
    const request = await worker.request();
    expect(changed(request)).toMatchObject({ model: "m", stream: true, stream_options: { include_usage: true } });
    answerMetered(request.id, HELLO, FINISH, USAGE, DONE);
    expect(await (await answer).text()).toBe(HELLO + FINISH + DONE);
    await eventually(async () => (await totals())["output_tokens_total"] === 34, "the tokens are counted");
    expect(await totals()).toMatchObject({ input_tokens_total: 12, output_tokens_total: 34 });
  });

  test("is counted too if it is cut anywhere", async () => {
    const many = HELLO.repeat(500);
    for (const size of [7, 100, 5000]) {
      const answer = server.chat("m", { stream: true });
      const { id } = await worker.request();
      const whole = many + FINISH + USAGE + DONE;
      worker.send(encodeResponse(id, { status: 200, headers: SSE, metered: true }, new Uint8Array(0), false));
      for (let at = 0; at < whole.length; at += size) worker.data(id, whole.slice(at, at + size));
      worker.end(id);
      // A stream whose first event is not whole yet is opened with a comment.
      expect((await (await answer).text()).replace(/^: keep-alive\n/, "")).toBe(many + FINISH + DONE);
    }
    await eventually(async () => (await totals())["output_tokens_total"] === 3 * 34, "the tokens are counted");
  });

  test("keeps what is held of it if the worker breaks off, and ends with an error event", async () => {
    const answer = server.chat("m", { stream: true });
    const { id } = await worker.request();
    worker.send(encodeResponse(id, { status: 200, headers: SSE, metered: true }, Buffer.from(HELLO), false));
    worker.data(id, USAGE.slice(0, 30));
    worker.breakOff(id, "upstream_error");
    const text = await (await answer).text();
    expect(text.startsWith(`${HELLO}${USAGE.slice(0, 30)}\n\ndata: {"error":`)).toBe(true);
  });

  test("is complete for a client if the link is lost after its last event", async () => {
    const answer = server.chat("m", { stream: true });
    const { id } = await worker.request();
    worker.send(
      encodeResponse(id, { status: 200, headers: SSE, metered: true }, Buffer.from(HELLO + USAGE + DONE), false),
    );
    worker.kill();
    expect(await (await answer).text()).toBe(HELLO + DONE);
  });

  test("passes whole from a worker that has not asked, whatever it contains", async () => {
    const answer = server.chat("m", { stream: true });
    const { id } = await worker.request();
    worker.head(id, 200, SSE, HELLO + USAGE + DONE, true);
    expect(await (await answer).text()).toBe(HELLO + USAGE + DONE);
  });

  test("is asked for at the path of completions as well, under the worker's own name for the model", async () => {
    worker.sendText({
      type: "models_update",
      models: ["m"],
      model_info: [{ id: "m", sent_as: "the-backends-long-name" }],
    });
    await worker.roundTrip();
    const options = { include_usage: false, x: 1 };
    const answer = server.post("/v1/completions", { prompt: "p", stream_options: options, model: "m", stream: true });
    const request = await worker.request();
    expect(changed(request)).toEqual({
      prompt: "p",
      stream_options: { include_usage: true, x: 1 },
      model: "the-backends-long-name",
      stream: true,
    });
    answerMetered(request.id, HELLO, USAGE, DONE);
    expect(await (await answer).text()).toBe(HELLO + DONE);
  });
});

describe("nothing is removed", () => {
  test("for a client that asks itself", async () => {
    const answer = server.chat("m", { stream: true, stream_options: { include_usage: true } });
    const { id, head } = await worker.request();
    expect(head).not.toHaveProperty("metered");
    answerMetered(id, HELLO, USAGE, DONE);
    expect(await (await answer).text()).toBe(HELLO + USAGE + DONE);
  });

  test("from an answer that is no event stream", async () => {
    const answer = server.chat("m", { stream: true });
    const { id } = await worker.request();
    const json: HeaderPairs = [["content-type", "application/json"]];
    worker.send(encodeResponse(id, { status: 400, headers: json, metered: true }, Buffer.from(USAGE), true));
    expect(await (await answer).text()).toBe(USAGE);
  });

  test("from an answer that is compressed", async () => {
    const answer = server.chat("m", { stream: true }, { decompress: false } as RequestInit); // an option of Bun's own
    const { id } = await worker.request();
    const coded: HeaderPairs = [...SSE, ["content-encoding", "gzip"]];
    worker.send(encodeResponse(id, { status: 200, headers: coded, metered: true }, Buffer.from(USAGE), true));
    expect(await (await answer).text()).toBe(USAGE);
  });
});

test.each(["estimate", "off"] as const)("METER_STREAMS=%s asks no worker", async (meterStreams) => {
  const quiet = new TestServer({ meterStreams });
  const other = await quiet.worker();
  const answer = quiet.chat("m", { stream: true });
  const { id, head } = await other.request();
  expect(head).not.toHaveProperty("metered");
  other.head(id, 200, SSE, HELLO + DONE, true);
  expect(await (await answer).text()).toBe(HELLO + DONE);
  await quiet.stop();
});

describe("versions that differ", () => {
  test("a worker that knows nothing of it serves a stream as before", async () => {
    const answer = server.chat("m", { stream: true });
    const request = await worker.request();
    // What a worker of an earlier version sent for such a request, byte for byte.
    const head = '{"status":200,"headers":[["content-type","text/event-stream"],["cache-control","no-cache"]]}';
    const frame = Buffer.alloc(10 + head.length + HELLO.length);
    frame.writeUInt8(3, 0);
    frame.writeUInt32BE(request.id, 2);
    frame.writeUInt32BE(head.length, 6);
    frame.write(head + HELLO, 10);
    worker.send(frame);
    worker.data(request.id, FINISH + DONE, true);
    expect(await (await answer).text()).toBe(HELLO + FINISH + DONE);
    // The fields that such a worker reads are those that it knows.
    const { method, path, stream, timeout_ms } = request.head;
    expect({ method, path, stream, timeout_ms }).toEqual({
      method: "POST",
      path: "/chat/completions",
      stream: true,
      timeout_ms: 120_000,
    });
  });

  test("an agent of the legacy dialect sees nothing of it", async () => {
    worker.kill();
    const agent = new LegacyWorker({ url: server.url, register: { client_key: CLIENT_KEY, models: ["old"] } });
    await eventually(async () => (await server.state()).workers[0]?.["dialect"] === "legacy", "the agent is there");
    const answer = server.chat("old", { stream: true });
    const request = await agent.request();
    expect(Object.keys(request).sort()).toEqual(["body", "headers", "method", "path", "request_id", "stream", "type"]);
    expect(Buffer.from(request.body ?? "", "base64").toString()).not.toContain("stream_options");
    agent.head(request.request_id, 200, { "content-type": "text/event-stream" });
    agent.chunk(request.request_id, HELLO + USAGE + DONE);
    agent.end(request.request_id);
    expect(await (await answer).text()).toBe(HELLO + USAGE + DONE);
    agent.kill();
  });
});
