import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Fault } from "../../src/errors.ts";
import { toRelayPath } from "../../src/plugins/mcp/relay-path.ts";
import { Channels } from "../../src/plugins/transfer/channels.ts";
import { toBackendUrl } from "../../src/worker/backend-url.ts";
import { endpointOnly } from "../../src/worker/mcp/endpoint-only.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { expectCleanPrototype, hostileText } from "../support/hostile.ts";
import { times } from "../support/times.ts";

// Ids and paths from outside never reach anything unintended, whatever they contain.

const BASE = "http://127.0.0.1:8080/base/v1";

/** Parts of paths that climb, are disguised, or mean something to only some programs. */
const piece = fc.oneof(
  fc.constantFrom(
    "..",
    ".",
    "/",
    "//",
    "\\",
    "%2e",
    "%2E%2e",
    "%252e",
    "%2f",
    "%5c",
    "%255c",
    "%00",
    "%c0%ae",
    "%u002e",
    ";",
    "..;",
    "@",
    ":",
    "?",
    "#",
    "\r\n",
    "\u2028",
    "\ud800",
    "．．",
    "∕",
    "a",
    "chat",
    " ",
    "\t",
    "%",
  ),
  hostileText.map((text) => text.slice(0, 12)),
);
const path = fc.array(piece, { maxLength: 8 }).map((pieces) => `/${pieces.join("")}`);

/** Whether some program between here and the backend could read the path as one outside of `base`. */
function canLeave(url: URL, base: URL): boolean {
  let text = url.pathname;
  for (let layer = 0; layer < 10; layer += 1) {
    // Read like a program that decodes once more, accepts both slashes, and knows parameters of segments.
    const segments = text.split(/[/\\]/).map((segment) => segment.split(";")[0]);
    let depth = 0;
    for (const segment of segments.filter((each) => each !== "")) {
      if (segment === "..") depth -= 1;
      else if (segment !== ".") depth += 1;
      if (depth < 0) return true;
    }
    if (segments.includes("..") || segments.includes(".") || !text.startsWith(base.pathname)) return true;
    const decoded = decode(text);
    if (decoded === text) return false;
    text = decoded;
  }
  return true;
}

function decode(text: string): string {
  return text.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

describe("for any path of a client,", () => {
  test("a worker stays below its backend's base, however often the path is encoded", () => {
    let taken = 0;
    fc.assert(
      fc.property(path, fc.constantFrom(BASE, "http://127.0.0.1:8080", "http://[::1]/x"), (asked, base) => {
        const target = toBackendUrl(base, asked);
        if (target === undefined) return;
        taken += 1;
        const url = new URL(target);
        expect([url.origin, url.username, url.password, url.hash]).toEqual([new URL(base).origin, "", "", ""]);
        expect(target).toMatch(/^[!-~]+$/);
        expect(canLeave(url, new URL(base))).toBe(false);
      }),
      { numRuns: times(5000) },
    );
    expect(taken).toBeGreaterThan(200);
  });

  test("an MCP request goes to its relay's endpoint or nowhere, and the worker's own check agrees", () => {
    const opened: string[] = [];
    const worker = endpointOnly({
      open(head) {
        opened.push(head.path);
        return { kind: "refuse", code: "internal", message: "" };
      },
    });
    const rest = fc.oneof(path, fc.constantFrom("", "/", "mcp", "mcp/", "/mcp", "mcp/x"));
    fc.assert(
      fc.property(rest, fc.option(hostileText), (below, query) => {
        const search = query === null ? "" : `?${encodeURI(query.toWellFormed()).replaceAll("#", "%23")}`;
        const found = toRelayPath(below, `http://public/api/mcp/id/r${search}`);
        expect(found === undefined).toBe(!["", "/", "mcp", "mcp/", "/mcp", "/mcp/"].includes(below));
        if (!found) return;
        expect(found.path).toBe(`/${search}`);
        const before = opened.length;
        worker.open({ method: "POST", path: found.path, headers: [] });
        expect(opened.slice(before)).toEqual([found.path]);
      }),
      { numRuns: times(5000) },
    );
    expect(opened.length).toBeGreaterThan(100);
  });
});

test("any id is that of one channel or of none", () => {
  const guess = fc.oneof(hostileText, fc.base64String(), fc.constantFrom("size", "get", "0"));
  const clock = new FakeClock();
  let made = 0;
  const channels = new Channels({
    clock,
    ids: { request: () => "r", secret: () => `secret-${++made}` },
    idPrefix: "s1",
    ttlMs: 1000,
    maxChannels: 10,
    onJoined: () => {},
    onChange: () => {},
    onExpired: () => {},
  });
  channels.create();
  const side = { refuse: () => {} };
  fc.assert(
    fc.property(guess, fc.constantFrom("look", "read", "write"), (id, what) => {
      const ask = (): void =>
        what === "look" ? channels.look(id) : what === "read" ? channels.read(id, side) : channels.write(id, side);
      let fault: unknown;
      try {
        ask();
      } catch (error) {
        fault = error;
      }
      expect(fault).toBeInstanceOf(Fault);
      expect(fault).toMatchObject({ code: "transfer_not_found" });
      channels.leave(id, side);
      channels.finish(id);
      expect(channels.size).toBe(1);
      expectCleanPrototype();
    }),
    { numRuns: times(1000) },
  );
});
