import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { saneRequestId, toClientHeaders, toWorkerHeaders } from "../../../src/http/headers.ts";
import { type HeaderPairs, isHeaderPairs } from "../../../src/wire/heads.ts";
import { times } from "../../support/times.ts";

const HOP_BY_HOP = [
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
];

const sent = (headers: ConstructorParameters<typeof Headers>[0], id = "r1"): HeaderPairs =>
  toWorkerHeaders(new Headers(headers), id);
const names = (pairs: HeaderPairs): string[] => pairs.map(([name]) => name);
const answered = (...pairs: [string, string][]): Headers => toClientHeaders(pairs, "r1");

describe("of a client's request headers,", () => {
  test("those that describe the message reach the worker unchanged, after the request id", () => {
    const given = {
      "content-type": "application/json",
      accept: "text/event-stream",
      traceparent: "00-a-b-01",
      "x-own": "1",
    };
    expect(sent({ ...given })).toEqual(expect.arrayContaining(Object.entries(given)));
    expect(sent(given)[0]).toEqual(["x-request-id", "r1"]);
    expect(sent(given).length).toBe(5);
  });

  test.each([
    "authorization",
    "x-api-key",
    "api-key",
    "cookie",
    "x-user-roles",
    "x-goog-api-key",
    "x-forwarded-access-token",
    "x-forwarded-user",
    "x-forwarded-email",
    "x-auth-request-access-token",
    "cf-access-jwt-assertion",
  ])("the credential %s never reaches a worker, in upper or lower case", (name) => {
    for (const form of [name, name.toUpperCase()])
      expect(names(sent({ [form]: "secret", accept: "*/*" }))).not.toContain(name);
  });

  test.each(HOP_BY_HOP)("the hop-by-hop header %s never reaches a worker", (name) => {
    expect(names(sent({ [name]: "x" }))).not.toContain(name);
  });

  test.each([
    "host",
    "content-length",
    "expect",
    "accept-encoding",
    "origin",
    "referer",
    "forwarded",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-prefix",
    "x-real-ip",
    "fly-client-ip",
    "sec-fetch-mode",
    "access-control-request-headers",
  ])("the forwarding header %s never reaches a worker", (name) => {
    expect(names(sent({ [name]: "x" }))).not.toContain(name);
  });

  test.each(["x-moorage-priority", "x-moorage-session", "X-Moorage-Anything"])(
    "%s is for this server and never reaches a worker",
    (name) => {
      expect(names(sent({ [name]: "x", "x-kept": "1" }))).toEqual(["x-request-id", "x-kept"]);
    },
  );

  test("those that Connection lists are dropped, in any notation", () => {
    const pairs = sent({ connection: "close, X-Secret ,x-other", "x-secret": "1", "x-other": "2", "x-kept": "3" });
    expect(names(pairs)).toEqual(["x-request-id", "x-kept"]);
  });

  test("Connection with keep-alive or close drops nothing", () => {
    for (const connection of ["keep-alive", "close"])
      expect(names(sent({ connection, "x-kept": "1" }))).toEqual(["x-request-id", "x-kept"]);
  });

  test("the request id is the server's, whatever the client sent or listed", () => {
    const pairs = sent({ "x-request-id": "theirs", connection: "x-request-id" }, "ours");
    expect(pairs).toEqual([["x-request-id", "ours"]]);
  });

  test("repeated ones arrive joined by commas", () => {
    const headers = new Headers();
    headers.append("x-own", "1");
    headers.append("x-own", "2");
    expect(toWorkerHeaders(headers, "r1")).toContainEqual(["x-own", "1, 2"]);
  });

  test("all that reach the worker are valid in HTTP", () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.stringMatching(/^[a-z][a-z0-9-]{0,9}$/), fc.stringMatching(/^[\x21-\x7e]{1,9}$/)),
        (given) => {
          expect(isHeaderPairs(sent(given))).toBe(true);
        },
      ),
    );
  });
});

describe("of a worker's response headers,", () => {
  test("the backend's own reach the client, repeated ones too", () => {
    const headers = answered(
      ["Content-Type", "application/json"],
      ["X-Own", "1"],
      ["x-own", "2"],
      ["openai-version", "3"],
    );
    expect(headers.get("content-type")).toBe("application/json");
    expect(headers.get("x-own")).toBe("1, 2");
    expect(headers.get("openai-version")).toBe("3");
  });

  test.each([
    ...HOP_BY_HOP,
    "set-cookie",
    "set-cookie2",
    "content-length",
    "alt-svc",
    "strict-transport-security",
    "clear-site-data",
    "service-worker-allowed",
    "content-security-policy-report-only",
    "access-control-allow-origin",
    "access-control-allow-credentials",
    "cross-origin-opener-policy",
    "nel",
    "report-to",
    "refresh",
    "x-accel-redirect",
    "x-accel-buffering",
    "x-sendfile",
    "date",
    "server",
  ])("%s does not reach the client, in upper or lower case", (name) => {
    for (const form of [name, name.toUpperCase()]) {
      const headers = answered([form, "x"], ["content-type", "application/json"]);
      expect(headers.has(name)).toBe(false);
    }
  });

  test("those that Connection lists are dropped, also with several Connection headers", () => {
    const headers = answered(
      ["x-a", "1"],
      ["Connection", "X-A"],
      ["connection", "x-b, close"],
      ["x-b", "2"],
      ["x-c", "3"],
    );
    expect([headers.has("x-a"), headers.has("x-b"), headers.get("x-c")]).toEqual([false, false, "3"]);
    expect(answered(["connection", "x-a"], ["connection", "keep-alive"], ["x-a", "1"]).has("x-a")).toBe(false);
  });

  test("x-request-id and nosniff are set once by the server, whatever the worker sent", () => {
    const headers = answered(["x-request-id", "theirs"], ["X-Content-Type-Options", "sniff"]);
    expect(headers.get("x-request-id")).toBe("r1");
    expect(headers.get("x-content-type-options")).toBe("nosniff");
  });

  test.each([
    [["text/html"]],
    [["TEXT/HTML; charset=utf-8"]],
    [["image/svg+xml"]],
    [["application/xhtml+xml"]],
    [["text/xml"]],
    [["application/octet-stream"]],
    [["text/javascript"]],
    [[""]],
    [["application/json, text/html"]],
    [["application/json", "text/html"]],
    [["text/plain", "text/html"]],
    [[]],
  ])("a body of type %j gets a sandbox, so that it is no page of this origin", (types) => {
    const headers = answered(...types.map((type): [string, string] => ["content-type", type]));
    expect(headers.get("content-security-policy")).toBe("sandbox");
  });

  test.each([
    "application/json",
    "application/problem+json; charset=utf-8",
    "Text/Event-Stream",
    "text/plain;charset=utf-8",
  ])("a body of type %s gets no sandbox, not even from the worker", (type) => {
    const headers = answered(["content-type", type], ["content-security-policy", "default-src *"]);
    expect(headers.has("content-security-policy")).toBe(false);
  });

  test("a worker cannot widen the sandbox", () => {
    const headers = answered(["content-type", "text/html"], ["Content-Security-Policy", "sandbox allow-scripts"]);
    expect(headers.get("content-security-policy")).toBe("sandbox");
  });

  test("any pairs that a frame accepts become headers without an error", () => {
    const latin1 = fc.integer({ min: 0x20, max: 0xff }).map((code) => String.fromCharCode(code));
    const pair = fc.tuple(
      fc.oneof(
        fc.constantFrom("connection", "content-type", "set-cookie", "__proto__"),
        fc.stringMatching(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,5}$/),
      ),
      fc.string({ unit: latin1, maxLength: 8 }),
    );
    fc.assert(
      fc.property(fc.array(pair, { maxLength: 8 }), (pairs) => {
        if (!isHeaderPairs(pairs)) return;
        expect(toClientHeaders(pairs, "r1").get("x-request-id")).toBe("r1");
      }),
      { numRuns: times(1000) },
    );
  });
});

test.each([
  ["abc", "abc"],
  ["A.b_c-1", "A.b_c-1"],
  ["x".repeat(128), "x".repeat(128)],
  ["x".repeat(129), undefined],
  ["", undefined],
  ["has space", undefined],
  ["semi;colon", undefined],
  ["é", undefined],
  ["a, b", undefined],
])("the client's request id %p becomes %p", (given, expected) => {
  expect(saneRequestId(new Headers({ "x-request-id": given }))).toBe(expected);
});

test("a request without an id has none", () => {
  expect(saneRequestId(new Headers())).toBeUndefined();
});
