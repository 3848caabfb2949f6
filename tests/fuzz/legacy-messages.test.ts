import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parseJson } from "../../src/json/parse.ts";
import { createLegacyDialect, decodeLegacy } from "../../src/models/legacy-worker.ts";
import { createLegacyRelayDialect } from "../../src/plugins/mcp/legacy-relay.ts";
import { MAX_EXCHANGE_ID } from "../../src/wire/frame.ts";
import { isHeaderPairs } from "../../src/wire/heads.ts";
import { expectCleanPrototype, hostileJsonText, mutatedText, nearly } from "../support/hostile.ts";
import { legacyLimits } from "../support/legacy-limits.ts";
import { StrictSink, startSession } from "../support/session-rig.ts";
import { times } from "../support/times.ts";

// The two legacy dialects: any messages in them, and the messages of answers in any order.

const WINDOW = 1024 * 1024;
const POST = { method: "POST", path: "/chat/completions", headers: [] } as const;
const WORKER_WORDS = [
  { type: "http_proxy_response_headers", request_id: "1", status: 200, headers: { a: "b" } },
  { type: "http_proxy_response_chunk", request_id: "1", data: "eHl6" },
  { type: "http_proxy_response_end", request_id: "1", error: { code: "upstream_error", message: "why" } },
  { type: "status_update", status: "idle", max_concurrency: 2, models: ["m"] },
];
const AGENT_WORDS = [
  { t: "open.ok", sid: "1" },
  { t: "open.fail", sid: "1", code: "MCP_UNAUTHORIZED", msg: "no" },
  { t: "rpc", sid: "1", payload: { jsonrpc: "2.0", id: null, result: {} } },
  { t: "close", sid: "1" },
  { t: "ping" },
];

function like(words: readonly Readonly<Record<string, unknown>>[]): fc.Arbitrary<string> {
  return fc.oneof(
    ...words.map((each) => nearly(each).map((value) => JSON.stringify(value))),
    ...words.map((each) => mutatedText(JSON.stringify(each))),
    hostileJsonText,
  );
}

describe("with any messages of a legacy worker,", () => {
  test("an answer that is understood can be forwarded, and anything else is refused", () => {
    fc.assert(
      fc.property(like(WORKER_WORDS.slice(0, 3)), (text) => {
        const said = decodeLegacy(parseJson(text));
        expectCleanPrototype();
        if (said === undefined) return;
        if (said.type === "bad") return expect(Buffer.byteLength(said.reason)).toBeLessThanOrEqual(123);
        expect(said.id).toBeWithin(0, 10_000_000_000);
        if (said.type !== "headers") return;
        expect(said.head.status).toBeWithin(200, 600);
        expect(isHeaderPairs(said.head.headers)).toBe(true);
      }),
      { numRuns: times(3000) },
    );
  });

  test("each job ends at most once, and the session closes at most once, with 1002", () => {
    fc.assert(
      fc.property(fc.array(like(WORKER_WORDS), { maxLength: 8 }), (messages) => {
        const { session, closes, clock } = startSession(createLegacyDialect(legacyLimits(WINDOW)));
        const sinks = [new StrictSink(), new StrictSink()];
        for (const sink of sinks) session.open({ head: POST, body: Buffer.from("{}") }, sink);
        for (const message of messages) session.handleMessage(message);
        expect(closes.length).toBeLessThanOrEqual(1);
        for (const close of closes) expect(close).toMatch(/^1002 .{1,123}$/);
        session.handleClosed("gone");
        for (const { wrongs, ends, isSettled } of sinks) {
          expect(wrongs).toEqual([]);
          expect([ends.length, isSettled]).toEqual([1, true]);
        }
        expect(clock.pending).toBe(0);
        expectCleanPrototype();
      }),
      { numRuns: times(1500) },
    );
  });
});

type Word =
  | { readonly say: "head"; readonly status: number }
  | { readonly say: "chunk"; readonly bytes: Uint8Array }
  | { readonly say: "end"; readonly code: string | undefined };
const word: fc.Arbitrary<Word> = fc.oneof(
  fc.record({ say: fc.constant("head" as const), status: fc.constantFrom(200, 404, 502, 503) }),
  {
    weight: 3,
    arbitrary: fc.record({
      say: fc.constant("chunk" as const),
      bytes: fc.oneof(
        fc.uint8Array({ maxLength: 20 }),
        fc.integer({ min: 30_000, max: 70_000 }).map((size) => new Uint8Array(size).fill(size % 251)),
      ),
    }),
  },
  fc.record({ say: fc.constant("end" as const), code: fc.constantFrom(undefined, "upstream_error", "timeout") }),
);

function toText(id: number, said: Word): string {
  const request_id = String(id);
  if (said.say === "head")
    return JSON.stringify({ type: "http_proxy_response_headers", request_id, status: said.status });
  if (said.say === "chunk") {
    const data = Buffer.from(said.bytes).toString("base64");
    return JSON.stringify({ type: "http_proxy_response_chunk", request_id, data });
  }
  const error = said.code === undefined ? null : { code: said.code, message: "why" };
  return JSON.stringify({ type: "http_proxy_response_end", request_id, error });
}

/** The outcome of an answer by the dialect's rules alone, without buffering. */
function expected(words: readonly Word[]) {
  let status: number | undefined;
  const pieces: Uint8Array[] = [];
  let end: "complete" | "broken" | undefined;
  for (const said of words) {
    if (end) break;
    if (said.say === "head" && status === undefined) status = said.status;
    else if (said.say === "chunk" && status !== undefined) pieces.push(said.bytes);
    else end = said.say === "end" && said.code === undefined && status !== undefined ? "complete" : "broken";
  }
  return { status, body: Buffer.concat(pieces), end };
}

test("in any order of an answer's messages a client gets its beginning, and a whole answer only from all of them", () => {
  const seen = new Set<string | undefined>();
  fc.assert(
    fc.property(fc.array(word, { maxLength: 8 }), fc.array(word, { maxLength: 4 }), (words, others) => {
      const { session, closes } = startSession(createLegacyDialect(legacyLimits(WINDOW)));
      const [sink, other] = [new StrictSink(), new StrictSink()];
      for (const each of [sink, other]) session.open({ head: POST, body: Buffer.from("{}") }, each);
      // Two answers take turns on one socket.
      for (let at = 0; at < Math.max(words.length, others.length); at += 1) {
        const [said, also] = [words[at], others[at]];
        if (said) session.handleMessage(toText(1, said));
        if (also) session.handleMessage(toText(2, also));
      }
      for (const [each, spoken] of [[sink, words] as const, [other, others] as const]) {
        const should = expected(spoken);
        seen.add(should.end);
        expect(each.wrongs).toEqual([]);
        expect(each.ends[0]?.kind as string | undefined).toBe(should.end);
        if (each.head) expect(each.head.status).toBe(should.status as number);
        expect(should.body.subarray(0, each.body.length).equals(each.body)).toBe(true);
        if (should.end === "complete") expect(each.body.length).toBe(should.body.length);
      }
      expect(closes).toEqual([]);
    }),
    { numRuns: times(1000) },
  );
  expect(seen).toEqual(new Set([undefined, "complete", "broken"]));
});

describe("with any messages of a legacy relay,", () => {
  const body = (id: unknown) => Buffer.from(JSON.stringify({ jsonrpc: "2.0", id, method: "tools/list" }));

  test("each call ends at most once, errors are JSON, and only what is no JSON object closes the session", () => {
    const callId = fc.oneof(fc.string(), fc.integer());
    fc.assert(
      fc.property(fc.array(like(AGENT_WORDS), { maxLength: 6 }), callId, (messages, id) => {
        const { session, closes, sent } = startSession(createLegacyRelayDialect());
        const sink = new StrictSink();
        session.open({ head: POST, body: body(id) }, sink);
        for (const message of messages) session.handleMessage(message);
        for (const text of sent) expect(parseJson(String(text))).toBeObject();
        if (sink.head && sink.head.status !== 200) expect(parseJson(sink.body.toString())).toMatchObject({ id });
        for (const close of closes) expect(close).toBe("1002 a message that is not a JSON object");
        session.handleClosed("gone");
        expect(sink.wrongs).toEqual([]);
        expect([sink.ends.length, sink.isSettled]).toEqual([1, true]);
        expectCleanPrototype();
      }),
      { numRuns: times(2000) },
    );
  });

  test("an answer reaches its call as it was written", () => {
    const json = fc.json();
    fc.assert(
      fc.property(json, fc.nat({ max: 3 }), fc.nat({ max: MAX_EXCHANGE_ID }), (result, called, stray) => {
        const { session } = startSession(createLegacyRelayDialect());
        const sinks = [1, 2, 3].map(() => new StrictSink());
        for (const [at, sink] of sinks.entries()) session.open({ head: POST, body: body(at) }, sink);
        const payload = `{"jsonrpc":"2.0","result":${result},"id":7}`;
        for (const sid of [stray + 4, called])
          session.handleMessage(`{"sid":"${sid}", "payload" : ${payload} ,"t":"rpc"}`);
        for (const [at, sink] of sinks.entries()) {
          if (at + 1 === called) expect(sink.body.toString()).toBe(payload);
          else expect([sink.head, ...sink.ends]).toEqual([undefined]);
        }
      }),
      { numRuns: times(500) },
    );
  });
});
