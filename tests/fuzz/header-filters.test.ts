import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { saneRequestId, toClientHeaders, toWorkerHeaders } from "../../src/http/headers.ts";
import { toClientHeaders as toMcpClientHeaders, toRelayHeaders } from "../../src/plugins/mcp/headers.ts";
import { toReaderHeaders } from "../../src/plugins/transfer/headers.ts";
import { type HeaderPairs, isHeaderPairs } from "../../src/wire/heads.ts";
import { toBackendHeaders, toHeaderPairs } from "../../src/worker/backend.ts";
import { times } from "../support/times.ts";

// Headers at every border, with any names and values: no hop-by-hop header, no credential and no line break passes.

/** Hop-by-hop headers of RFC 9110 §7.6.1 and of proxies, repeated here so that the code's list is not tested by itself. */
const OF_A_HOP = [
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "http2-settings",
];
const CREDENTIALS = ["authorization", "x-api-key", "api-key", "cookie", "x-goog-api-key", "x-user-roles"];
const OF_THE_WAY = [
  "host",
  "content-length",
  "x-forwarded-for",
  "x-forwarded-access-token",
  "x-real-ip",
  "cf-access-jwt-assertion",
  "fly-client-ip",
  "sec-fetch-site",
  "origin",
];
const OF_THIS_ORIGIN = [
  "set-cookie",
  "set-cookie2",
  "strict-transport-security",
  "clear-site-data",
  "access-control-allow-origin",
  "access-control-allow-credentials",
  "cross-origin-opener-policy",
  "alt-svc",
  "service-worker-allowed",
  "nel",
  "report-to",
  "refresh",
  "x-sendfile",
];

const anyCase = (name: string): fc.Arbitrary<string> => fc.mixedCase(fc.constant(name));
const name = fc.oneof(
  fc.constantFrom("connection", "x-own", "x-other").chain(anyCase),
  fc.constantFrom(...OF_A_HOP, ...CREDENTIALS, ...OF_THE_WAY, ...OF_THIS_ORIGIN).chain(anyCase),
  fc
    .constantFrom(
      "__proto__",
      "constructor",
      "x-own",
      "x-other",
      "accept",
      "content-type",
      "mcp-session-id",
      "x-request-id",
    )
    .chain(anyCase),
  fc.stringMatching(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,6}$/),
  fc.string({ unit: "binary", maxLength: 6 }),
);
const value = fc.oneof(
  fc.constantFrom(
    "x",
    "a\rb",
    "a\nb",
    "a\r\nset-cookie: x",
    "a\0b",
    "a\u007fb",
    "a\u0001b",
    "ÿ",
    "日本",
    "",
    " \t",
    "text/html",
  ),
  fc.constantFrom("x-own", "X-Own, x-other", "close, x-own", "keep-alive,X-OTHER ", "x-request-id"),
  fc.string({ unit: "binary", maxLength: 12 }),
);
const pairs = fc.array(fc.tuple(name, value), { maxLength: 8 });

/** As many of the headers as the runtime accepts, as in an HTTP request. */
function toHeaders(given: HeaderPairs): Headers {
  const headers = new Headers();
  for (const [key, text] of given) {
    try {
      headers.append(key, text);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // The runtime's own refusal.
    }
  }
  return headers;
}

/** The header names that the `Connection` headers list. */
function namedIn(given: Iterable<readonly [string, string]>): string[] {
  return [...given]
    .filter(([key]) => key.toLowerCase() === "connection")
    .flatMap(([, text]) => text.split(",").map((each) => each.trim().toLowerCase()));
}

function expectNone(said: Iterable<readonly [string, string]>, ...lists: readonly (readonly string[])[]): void {
  const all = [...said];
  const names = all.map(([key]) => key.toLowerCase());
  for (const forbidden of lists.flat()) expect(names).not.toContain(forbidden);
  // The frame's own rules: no line break, no control character, nothing past one byte, no name but a token.
  expect(isHeaderPairs(all.map((pair) => [...pair]))).toBe(true);
}

function hold(what: string, given: fc.Arbitrary<HeaderPairs>, check: (given: HeaderPairs) => void): void {
  test(what, () => {
    fc.assert(fc.property(given, check), { numRuns: times(2000) });
  });
}

/** Headers that a peer can have sent: a frame with others is refused. */
const fromPeer = pairs.map((given) => given.filter((pair) => isHeaderPairs([pair])));

describe("with any headers,", () => {
  hold("a model worker gets no hop-by-hop header, no credential, and the server's request id once", pairs, (given) => {
    const headers = toHeaders(given);
    const said = toWorkerHeaders(headers, "ours");
    const named = namedIn(headers).filter((each) => each !== "x-request-id");
    expectNone(said, OF_A_HOP, CREDENTIALS, OF_THE_WAY, named);
    expect(said.filter(([key]) => key === "x-request-id")).toEqual([["x-request-id", "ours"]]);
  });

  hold(
    "an MCP relay gets no hop-by-hop header, no cookie or key of this server, and the server's request id once",
    pairs,
    (given) => {
      const said = toRelayHeaders(toHeaders(given), [["x-request-id", "ours"]], {
        beginsSession: false,
        isBearerOurs: false,
      });
      // The relay itself checks Authorization.
      expectNone(said, OF_A_HOP, CREDENTIALS.slice(1), OF_THE_WAY);
      expect(said.filter(([key]) => key === "x-request-id")).toEqual([["x-request-id", "ours"]]);
    },
  );

  hold(
    "a client of a model gets no hop-by-hop header, none that governs this origin, and no page",
    fromPeer,
    (given) => {
      const said = toClientHeaders(given, "ours");
      expectNone(
        said,
        OF_A_HOP,
        OF_THIS_ORIGIN,
        namedIn(given).filter((each) => each !== "x-request-id"),
      );
      expect([said.get("x-request-id"), said.get("x-content-type-options")]).toEqual(["ours", "nosniff"]);
      const type = said.get("content-type") ?? "";
      if (type === "" || type.includes("html")) expect(said.get("content-security-policy")).toBe("sandbox");
    },
  );

  hold("an MCP client gets no hop-by-hop header, none that governs this origin, and no page", fromPeer, (given) => {
    const said = toMcpClientHeaders(given, "ours");
    expectNone(said, OF_A_HOP, OF_THIS_ORIGIN);
    expect([said.get("x-request-id"), said.get("content-security-policy")]).toEqual(["ours", "sandbox"]);
  });

  hold("a backend gets no hop-by-hop header, and no credential but the worker's", fromPeer, (given) => {
    const said = toBackendHeaders(given, "key");
    expect(said.get("authorization")).toBe("Bearer key");
    said.delete("authorization");
    expectNone(
      said,
      OF_A_HOP,
      ["cookie", "x-api-key", "api-key", "host", "content-length"],
      namedIn(given).filter((each) => each !== "authorization"),
    );
    const bare = toBackendHeaders(given, undefined);
    expect(bare.has("authorization")).toBe(false);
  });

  hold("a server gets no hop-by-hop header of a backend, and no frame that it would refuse", pairs, (given) => {
    const headers = toHeaders(given);
    expectNone(toHeaderPairs(headers), OF_A_HOP, namedIn(headers));
  });

  hold("a reader of a transfer gets a file and no page, with bounded headers", pairs, (given) => {
    const said = toReaderHeaders(toHeaders(given), 5, "ours");
    expectNone(said, OF_A_HOP, OF_THIS_ORIGIN, CREDENTIALS);
    expect(said.get("content-security-policy")).toBe("sandbox");
    for (const [, text] of said) expect(text.length).toBeLessThanOrEqual(1024);
  });

  hold("a request id is accepted only as short plain text", pairs, (given) => {
    const id = saneRequestId(toHeaders([...given, ["x-request-id", given[0]?.[1] ?? ""]]));
    if (id !== undefined) expect(id).toMatch(/^[A-Za-z0-9._-]{1,128}$/);
  });
});
