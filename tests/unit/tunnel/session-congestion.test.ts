import { expect, test } from "bun:test";
import { encodeCredit, encodeResponse } from "../../../src/wire/frame.ts";
import { HEAD, NOTHING, startNativeSession as start } from "../../support/native-session.ts";

test("a congested socket pauses all uploads, also new ones, until it has drained", () => {
  const { session, open, frames, state } = start();
  const large = open(new Uint8Array(1500));
  expect(frames()).toEqual(["request 1"]);
  session.handleSendResult("queued");
  session.handleMessage(encodeCredit(1, 5000));
  open(new Uint8Array(10));
  // The head of the second has left: only its body waits.
  expect(frames()).toEqual(["request 1", "request 2"]);
  session.handleDrain();
  expect(frames()).toEqual(["request 1", "request 2", "request_data 1", "request_data 2"]);
  expect(large.sink.heard).toEqual([]);
  expect(state.result).toBe("sent");
});

test("a socket that congests again while it is being refilled leaves the rest waiting", () => {
  const { session, open, frames, state } = start();
  session.handleSendResult("queued");
  open();
  open();
  const heads = ["request 1", "request 2"];
  state.result = "queued";
  session.handleDrain();
  expect(frames()).toEqual([...heads, "request_data 1"]);
  session.handleDrain();
  expect(frames()).toEqual([...heads, "request_data 1", "request_data 2"]);
});

test("requests begin in the order of their ids, whole or streamed, in any state of the socket", () => {
  const { session, open, frames } = start();
  session.handleSendResult("queued");
  open(new Uint8Array(10));
  open(new Response("an upload").body as ReadableStream<Uint8Array>);
  open(NOTHING);
  open(new Uint8Array(1500));
  expect(frames().filter((frame) => frame.startsWith("request "))).toEqual([1, 2, 3, 4].map((id) => `request ${id}`));
});

test("congestion does not delay grants, resets and the close", () => {
  const { session, open, frames } = start();
  const { exchange } = open();
  session.handleMessage(encodeResponse(1, HEAD, new Uint8Array(500), false));
  session.handleSendResult("queued");
  exchange.consumed(500);
  exchange.cancel("canceled");
  session.sendDrain("restart", 1000);
  expect(frames().slice(1)).toEqual([
    "credit 1",
    "reset 1",
    '{"type":"drain","reason":"restart","retry_after_ms":1000}',
  ]);
});
