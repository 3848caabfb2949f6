import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { createLegacyDialect, decodeLegacy } from "../../../src/models/legacy-worker.ts";
import { silentLog } from "../../../src/system/log.ts";
import { WorkerSession } from "../../../src/tunnel/worker-session.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { legacyLimits } from "../../support/legacy-limits.ts";
import { chunk, end, HOLD, headers, POST, startLegacySession as start, Witness } from "../../support/legacy-session.ts";
import { times } from "../../support/times.ts";

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
      dialect: createLegacyDialect(legacyLimits(1024 * 1024)),
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
    const dialect = createLegacyDialect(legacyLimits(HOLD));
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
