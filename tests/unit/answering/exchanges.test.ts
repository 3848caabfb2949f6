import { expect, test } from "bun:test";
import { Exchanges } from "../../../src/answering/exchanges.ts";
import { silentLog } from "../../../src/system/log.ts";
import { decodeFrame } from "../../../src/wire/frame.ts";
import type { RequestHead } from "../../../src/wire/heads.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const NOTHING = new Uint8Array(0);

/** A link's answering end whose backend is asked nothing: it answers each request by itself. */
function setUp() {
  const sent: string[] = [];
  const asked: string[] = [];
  const exchanges = new Exchanges({
    outlet: {
      hasRoom: () => true,
      send: (bytes) => {
        const frame = decodeFrame(bytes);
        if (frame.type === "bad") throw new Error(frame.reason);
        sent.push(frame.type === "reset" ? `reset ${frame.id} ${frame.code}` : `${frame.type} ${frame.id}`);
      },
    },
    window: 1000,
    backend: {
      open: ({ path }) => {
        asked.push(path);
        return { kind: "answer", status: 200, body: {} };
      },
    },
    toFailure: () => ({ code: "internal", message: "" }),
    clock: new FakeClock(),
    log: silentLog,
    maxConcurrency: () => 1,
    requestTimeoutMs: 1000,
    onUnreachable: () => {},
    onIdle: () => {},
  });
  const request = (id: number, kind?: string): string | undefined => {
    const head: RequestHead = { method: "GET", path: `/${id}`, headers: [], ...(kind === undefined ? {} : { kind }) };
    return exchanges.handle({ type: "request", id, head, body: NOTHING, end: false });
  };
  return { exchanges, request, sent, asked };
}

test("an exchange of an unknown kind is refused, and the link stays open", () => {
  const { exchanges, request, sent, asked } = setUp();
  expect(request(1, "made_up")).toBeUndefined();
  expect(exchanges.handle({ type: "request_data", id: 1, body: new Uint8Array(5), end: true })).toBeUndefined();
  expect(exchanges.handle({ type: "credit", id: 1, bytes: 5 })).toBeUndefined();
  expect(request(2)).toBeUndefined();
  expect(sent).toEqual(["reset 1 protocol_error", "response 2"]);
  expect(asked).toEqual(["/2"]);
  expect(exchanges.running).toBe(0);
});

test("an exchange of the kind HTTP is like one without a kind", () => {
  const { request, sent } = setUp();
  expect(request(1, "http")).toBeUndefined();
  expect(sent).toEqual(["response 1"]);
});
