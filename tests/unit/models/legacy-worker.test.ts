import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  createLegacyDialect,
  decodeLegacy,
  encodeLegacyCancel,
  encodeLegacyRequest,
} from "../../../src/models/legacy-worker.ts";
import { silentLog } from "../../../src/system/log.ts";
import type { ExchangeEnd, ExchangeSink } from "../../../src/tunnel/exchange.ts";
import { WorkerSession } from "../../../src/tunnel/worker-session.ts";
import type { RequestHead, ResponseHead } from "../../../src/wire/frame.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { times } from "../../support/times.ts";
import { turn } from "../../support/turn.ts";

const HOLD = 1000;
const POST: RequestHead = {
  method: "POST",
  path: "/chat/completions",
  headers: [["content-type", "application/json"]],
};
const STANDARD_BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

const base64 = (text: string): string => Buffer.from(text).toString("base64");
const headers = (id: string, status: number, fields: Record<string, unknown> = {}) => ({
  type: "http_proxy_response_headers",
  request_id: id,
  status,
  headers: fields,
});
const chunk = (id: string, text: string) => ({ type: "http_proxy_response_chunk", request_id: id, data: base64(text) });
const end = (id: string, code?: string) => ({
  type: "http_proxy_response_end",
  request_id: id,
  ...(code === undefined ? {} : { error: { code, message: "why" } }),
});

class Witness implements ExchangeSink {
  readonly heard: string[] = [];
  readonly ends: ExchangeEnd[] = [];
  head: ResponseHead | undefined;
  onHead = (head: ResponseHead): void => {
    this.head = head;
    this.heard.push(`head ${head.status}`);
  };
  onData = (bytes: Uint8Array): void => void this.heard.push(Buffer.from(bytes).toString());
  onSettled = (): void => void this.heard.push("settled");
  onEnd = (ended: ExchangeEnd): void => {
    this.ends.push(ended);
    this.heard.push(ended.kind === "broken" ? `broken ${ended.code}` : ended.kind);
  };
}

/** A legacy worker's session: what it was sent, and what its exchanges heard. */
function start() {
  const clock = new FakeClock();
  const sent: unknown[] = [];
  const closes: string[] = [];
  const session: WorkerSession = new WorkerSession({
    id: "s",
    worker: { id: "w", name: "w", version: undefined, hostInfo: {} },
    offer: { models: [], maxConcurrency: 1, embeddingBatchSize: undefined, status: "ready", reason: undefined },
    dialect: createLegacyDialect(HOLD),
    socket: {
      send(data) {
        sent.push(JSON.parse(data as string)); // The legacy dialect sends text only.
        return "sent";
      },
      sendNow: () => expect.unreachable(),
      ping: () => {},
      close(code, reason) {
        closes.push(`${code} ${reason}`);
      },
    },
    host: { onOfferChange: () => {}, onClosed: () => {} },
    clock,
    log: silentLog,
    confirmTimeoutMs: 5000,
  });
  const open = (body: Uint8Array | ReadableStream<Uint8Array> = Buffer.from("{}"), head = POST) => {
    const sink = new Witness();
    return { sink, exchange: session.open({ head, body }, sink) };
  };
  const hear = (...messages: object[]): void => {
    for (const message of messages) session.handleMessage(JSON.stringify(message));
  };
  return { clock, session, sent, closes, open, hear };
}

describe("a request to a legacy worker", () => {
  test("is one message with exactly the dialect's fields", () => {
    const head: RequestHead = { ...POST, headers: [["a", "1"]], stream: true, timeout_ms: 5 };
    expect(JSON.parse(encodeLegacyRequest(12, head, Buffer.from("body")))).toEqual({
      type: "http_proxy_request",
      request_id: "12",
      method: "POST",
      path: "/chat/completions",
      headers: { a: "1" },
      stream: true,
      body: "Ym9keQ==",
    });
  });

  test("without a body and without a stream has neither field", () => {
    const text = encodeLegacyRequest(
      1,
      { method: "GET", path: "/models", headers: [], stream: false },
      Buffer.alloc(0),
    );
    expect(Object.keys(JSON.parse(text))).toEqual(["type", "request_id", "method", "path", "headers"]);
  });

  test("carries any bytes, also those that are a view of a larger buffer", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 200 }), fc.nat(10), (bytes, offset) => {
        const view = Buffer.concat([Buffer.alloc(offset), bytes, Buffer.alloc(5)]).subarray(
          offset,
          offset + bytes.length,
        );
        const { body } = JSON.parse(encodeLegacyRequest(1, POST, view));
        expect(body).toMatch(STANDARD_BASE64);
        expect(Buffer.from(body, "base64").equals(Buffer.from(bytes))).toBe(true);
      }),
    );
  });

  test("joins repeated headers, because the dialect has one value per name", () => {
    const text = encodeLegacyRequest(
      1,
      {
        ...POST,
        headers: [
          ["a", "1"],
          ["b", "2"],
          ["a", "3"],
        ],
      },
      Buffer.alloc(0),
    );
    expect(JSON.parse(text).headers).toEqual({ a: "1, 3", b: "2" });
  });

  test("sends headers named like properties of an object unchanged", () => {
    const names = ["constructor", "__proto__", "toString", "hasownproperty"];
    const text = encodeLegacyRequest(1, { ...POST, headers: names.map((name) => [name, "x"]) }, Buffer.alloc(0));
    expect(Object.entries(JSON.parse(text).headers)).toEqual(names.map((name) => [name, "x"]));
  });

  test("of many pieces is collected and sent in one message, without flow control", async () => {
    const { sent, open } = start();
    let feed: ReadableStreamDefaultController<Uint8Array> | undefined;
    open(
      new ReadableStream<Uint8Array>({
        start: (controller) => {
          feed = controller;
        },
      }),
    );
    feed?.enqueue(Buffer.alloc(200 * 1024, "a"));
    feed?.enqueue(Buffer.alloc(200 * 1024, "b"));
    await turn();
    expect(sent).toEqual([]);
    feed?.close();
    await turn();
    expect(sent.length).toBe(1);
    const { body } = sent[0] as { body: string };
    expect(Buffer.from(body, "base64").toString()).toBe("a".repeat(200 * 1024) + "b".repeat(200 * 1024));
  });

  test("of a mebibyte in memory is one message too", () => {
    const { sent, open } = start();
    open(new Uint8Array(1024 * 1024));
    expect(sent.length).toBe(1);
  });

  test("is cancelled with http_proxy_cancel, and settles with the worker's end or after five seconds", () => {
    expect(JSON.parse(encodeLegacyCancel(3))).toEqual({ type: "http_proxy_cancel", request_id: "3" });
    const { sent, open, hear, clock } = start();
    const [told, silent] = [open(), open()];
    told.exchange.cancel("canceled");
    silent.exchange.cancel("timeout");
    expect(sent.slice(2)).toEqual([
      { type: "http_proxy_cancel", request_id: "1" },
      { type: "http_proxy_cancel", request_id: "2" },
    ]);
    hear(headers("1", 200), chunk("1", "late"), end("1", "canceled"));
    expect(told.sink.heard).toEqual(["canceled", "settled"]);
    clock.advance(5000);
    expect(silent.sink.heard).toEqual(["canceled", "settled"]);
  });
});

describe("a legacy worker's answer", () => {
  test("of headers, chunks and an end is a head, its bytes and a complete end", () => {
    const { open, hear } = start();
    const { sink } = open();
    hear(headers("1", 201, { "x-a": "b" }), chunk("1", "one"), chunk("1", ""), chunk("1", "two"), end("1"));
    expect(sink.heard).toEqual(["head 201", "one", "two", "complete", "settled"]);
    expect(sink.head).toEqual({ status: 201, headers: [["x-a", "b"]] });
  });

  test("may omit empty headers and data, as Go programs do", () => {
    const { open, session } = start();
    const { sink } = open();
    session.handleMessage('{"type":"http_proxy_response_headers","request_id":"1","status":204}');
    session.handleMessage('{"type":"http_proxy_response_chunk","request_id":"1","data":null}');
    session.handleMessage('{"type":"http_proxy_response_end","request_id":"1","error":null}');
    expect(sink.heard).toEqual(["head 204", "complete", "settled"]);
  });

  test("loses only headers that are invalid in HTTP", () => {
    const { open, hear, closes } = start();
    const { sink } = open();
    hear(headers("1", 200, { good: "yes", split: "a\r\nset-cookie: x", "na me": "x", wide: "\u65e5\u672c" }), end("1"));
    expect(sink.head?.headers).toEqual([["good", "yes"]]);
    expect(closes).toEqual([]);
  });

  test.each([100, 199, 600, 0, -1, 200.5])("with status %p ends its exchange alone", (status) => {
    const { open, hear, closes } = start();
    const [odd, good] = [open(), open()];
    hear(headers("1", status), headers("2", 200), end("2"));
    expect(odd.sink.ends).toMatchObject([{ kind: "broken", code: "upstream_error" }]);
    expect(good.sink.heard).toEqual(["head 200", "complete", "settled"]);
    expect(closes).toEqual([]);
  });

  test.each([
    ["headers of no exchange", { ...headers("1", 200), request_id: undefined }],
    ["a request_id that is a number", { ...headers("1", 200), request_id: 1 }],
    ["a status of text", { ...headers("1", 200), status: "200" }],
    ["a header that is no text", headers("1", 200, { a: 5 })],
    ["data that is no text", { ...chunk("1", "x"), data: 5 }],
    ["base64 without its padding", { ...chunk("1", "x"), data: "eA" }],
    ["base64 with a space", { ...chunk("1", "x"), data: "eA= " }],
    ["base64 with a line break", { ...chunk("1", "x"), data: "eHh4\neHh" }],
    ["base64 for URLs", { ...chunk("1", "x"), data: "-_-_" }],
    ["base64 with padding in the middle", { ...chunk("1", "x"), data: "eA==eHh4" }],
    ["only padding", { ...chunk("1", "x"), data: "====" }],
    ["three characters of padding", { ...chunk("1", "x"), data: "e===" }],
    ["an error that is text", { ...end("1"), error: "broken" }],
    ["an error code that is a number", { ...end("1"), error: { code: 5 } }],
    ["an answer to an id never opened", headers("2", 200)],
    ["a failure of an id never opened", headers("2", 502)],
    ["a chunk for an id never opened", chunk("77", "x")],
    ["an end for an id never opened", end("77", "upstream_error")],
    ["an answer to an id that is no number", headers("one", 200)],
    ["an answer to an id with a sign", headers("-1", 200)],
    ["an answer to an id of eleven digits", headers("10000000001", 200)],
  ])("that is %s ends the session with 1002", (_name, message) => {
    const { open, hear, closes } = start();
    const { sink } = open();
    hear(message);
    expect(closes.length).toBe(1);
    expect(closes[0]).toStartWith("1002 ");
    expect(sink.ends.map(({ kind }) => kind)).toEqual(["lost"]);
  });

  test("in binary ends the session with 1002", () => {
    const { session, closes } = start();
    session.handleMessage(new Uint8Array([4, 0, 0, 0, 0, 1]));
    expect(closes).toEqual(["1002 binary frames need the subprotocol moorage.v1"]);
  });

  test("is accepted only with standard base64", () => {
    const letters = fc.string({
      unit: fc.constantFrom("A", "z", "9", "+", "/", "=", "-", "_", " ", "\n", "é", "\u0141"),
      maxLength: 12,
    });
    fc.assert(
      fc.property(fc.oneof(letters, fc.base64String({ maxLength: 40 })), (data) => {
        const message = decodeLegacy({ ...chunk("1", ""), data });
        // Written again it is the same text: the alphabet, the padding and the bits that it leaves over are right.
        const isStandard = Buffer.from(data, "base64").toString("base64") === data;
        expect(message?.type).toBe(isStandard ? "chunk" : "bad");
        if (message?.type === "chunk") expect(Buffer.from(message.body)).toEqual(Buffer.from(data, "base64"));
      }),
      { numRuns: times(5000) },
    );
  });

  test("after its exchange has ended is ignored", () => {
    const { open, hear, closes } = start();
    const { sink } = open();
    hear(headers("1", 200), end("1"));
    const before = [...sink.heard];
    hear(headers("1", 502), chunk("1", "x"), end("1", "upstream_error"), headers("1", 200), chunk("1", "y"), end("1"));
    expect(sink.heard).toEqual(before);
    expect(closes).toEqual([]);
  });

  test("beyond the server's buffer ends only its exchange, with a cancel", () => {
    const { open, hear, closes, sent } = start();
    const [flooded, good] = [open(), open()];
    hear(headers("1", 200), chunk("1", "x".repeat(HOLD)));
    expect(flooded.sink.ends).toEqual([]);
    hear(chunk("1", "y"));
    expect(flooded.sink.heard.at(-1)).toBe("broken flow_control");
    expect(sent.at(-1)).toEqual({ type: "http_proxy_cancel", request_id: "1" });
    hear(headers("2", 200), chunk("2", "x".repeat(HOLD)));
    good.exchange.consumed(HOLD);
    hear(chunk("2", "x".repeat(HOLD)), end("2"), end("1"));
    expect(good.sink.heard.at(-1)).toBe("settled");
    expect(flooded.sink.heard.at(-1)).toBe("settled");
    expect(closes).toEqual([]);
  });
});

describe("a legacy answer of 502 or 503", () => {
  test.each([502, 503])("is held, and a plain end shows that it was the backend's own %d", (status) => {
    const { open, hear } = start();
    const { sink } = open();
    hear(headers("1", status, { "x-a": "b" }), chunk("1", "bad "), chunk("1", "gateway"));
    expect(sink.heard).toEqual([]);
    hear(end("1"));
    expect(sink.heard).toEqual([`head ${status}`, "bad gateway", "complete", "settled"]);
    expect(sink.head?.headers).toEqual([["x-a", "b"]]);
  });

  test.each([200, 503])("that is followed by another head, of %d, is cut and never looks whole", (status) => {
    const { open, hear, sent } = start();
    const { sink } = open();
    hear(headers("1", 503), chunk("1", "one"), headers("1", status), chunk("1", "two"), end("1"));
    expect(sink.heard).toEqual(["broken protocol_error", "settled"]);
    expect(sent.at(-1)).toEqual({ type: "http_proxy_cancel", request_id: "1" });
  });

  test("that ends with upstream_error means that the agent could not reach its backend", () => {
    const { open, hear } = start();
    const { sink } = open();
    hear(headers("1", 502), chunk("1", "connection refused"), end("1", "upstream_error"));
    expect(sink.ends).toEqual([{ kind: "broken", code: "upstream_unreachable", message: "why" }]);
    expect(sink.heard).toEqual(["broken upstream_unreachable", "settled"]);
  });

  test("that ends with worker_draining is a refusal before any work", () => {
    const { open, hear } = start();
    const { sink } = open();
    hear(headers("1", 503), end("1", "worker_draining"));
    expect(sink.heard).toEqual(["broken draining", "settled"]);
  });

  test("longer than an agent's one line is the backend's, and is passed on at once", () => {
    const sink = new Witness();
    const { session } = start();
    const large = new WorkerSession({
      id: "s",
      worker: session.worker,
      offer: session.offer,
      dialect: createLegacyDialect(1024 * 1024),
      socket: { send: () => "sent", sendNow: () => "sent", ping: () => {}, close: () => {} },
      host: { onOfferChange: () => {}, onClosed: () => {} },
      clock: new FakeClock(),
      log: silentLog,
      confirmTimeoutMs: 5000,
    });
    large.open({ head: POST, body: Buffer.from("{}") }, sink);
    const hear = (message: object): void => large.handleMessage(JSON.stringify(message));
    hear(headers("1", 502));
    hear(chunk("1", "x".repeat(64 * 1024)));
    expect(sink.heard).toEqual([]);
    hear(chunk("1", "y"));
    expect(sink.heard).toEqual(["head 502", `${"x".repeat(64 * 1024)}y`]);
    hear(chunk("1", "z"));
    hear(end("1", "upstream_error"));
    expect(sink.heard.slice(2)).toEqual(["z", "broken upstream_error", "settled"]);
  });

  test("after another head is a second head", () => {
    const { open, hear } = start();
    const { sink } = open();
    hear(headers("1", 200), chunk("1", "x"), headers("1", 502));
    expect(sink.heard).toEqual(["head 200", "x", "broken protocol_error"]);
  });

  test("is forgotten with its exchange", () => {
    const dialect = createLegacyDialect(HOLD);
    const decode = (message: object) => dialect.decode(JSON.stringify(message), () => true);
    decode(headers("1", 502));
    dialect.forget(1);
    expect(decode(end("1"))).toMatchObject({ type: "response_data", end: true });
    decode(headers("2", 200));
    dialect.forget(2);
    expect(decode(end("2", "upstream_error"))).toMatchObject({ type: "reset", code: "upstream_unreachable" });
  });
});

describe("an end with an error", () => {
  test.each([
    ["upstream_error", "upstream_error"],
    ["worker_draining", "draining"],
    ["canceled", "canceled"],
    ["timeout", "timeout"],
    ["", "upstream_error"],
    ["something_else", "upstream_error"],
    ["flow_control", "upstream_error"],
  ])("of %p during an answer cuts it as %s", (code, expected) => {
    const { open, hear } = start();
    const { sink } = open();
    hear(headers("1", 200), chunk("1", "x"), end("1", code));
    expect(sink.heard).toEqual(["head 200", "x", `broken ${expected}`, "settled"]);
  });

  test("of upstream_error before any head means that the backend could not be reached", () => {
    const { open, hear } = start();
    const { sink } = open();
    hear(end("1", "upstream_error"));
    expect(sink.heard).toEqual(["broken upstream_unreachable", "settled"]);
  });
});

test("an end before any head breaks the protocol, and frees the slot", () => {
  const { open, hear } = start();
  const { sink } = open();
  hear(end("1"));
  expect(sink.heard).toEqual(["broken protocol_error", "settled"]);
});

test("legacy control messages mean the same as native ones, and unknown ones are ignored", () => {
  const { session, hear, closes } = start();
  hear({ type: "status_update", status: "draining", max_concurrency: 0 }, { type: "http_proxy_something" });
  expect(session.offer).toMatchObject({ status: "draining", maxConcurrency: 0 });
  expect(closes).toEqual([]);
  hear({ type: "models_update" });
  expect(closes).toEqual(["1002 invalid models_update: models is missing"]);
});

test("a legacy worker gets no drain message, because its dialect has none", () => {
  const { session, sent } = start();
  session.sendDrain("restart", 1000);
  expect(sent).toEqual([]);
});

test("any JSON messages end each exchange at most once, and the session at most once", () => {
  const id = fc.constantFrom("1", "2", "3", "x");
  const message = fc.oneof(
    fc.tuple(id, fc.constantFrom(200, 502, 503, 999)).map(([at, status]) => headers(at, status)),
    fc.tuple(id, fc.string({ maxLength: 400 })).map(([at, text]) => chunk(at, text)),
    fc.tuple(id, fc.constantFrom(undefined, "upstream_error", "worker_draining")).map(([at, code]) => end(at, code)),
    fc.dictionary(fc.constantFrom("type", "request_id", "data"), fc.jsonValue()),
  );
  fc.assert(
    fc.property(fc.array(message, { maxLength: 20 }), (messages) => {
      const { open, hear, session, closes, clock } = start();
      const sinks = [open().sink, open().sink];
      hear(...messages);
      expect(closes.length).toBeLessThanOrEqual(1);
      session.close({ code: 1001, reason: "bye" });
      clock.advance(10_000);
      for (const { heard, ends } of sinks) {
        expect(ends.length).toBe(1);
        expect(heard.indexOf("settled")).toBe(heard.length - 1);
      }
      expect(clock.pending).toBe(0);
    }),
    { numRuns: times(2000) },
  );
});
