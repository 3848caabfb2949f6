import { expect, test } from "bun:test";
import { encodeResponse } from "../../../src/wire/frame.ts";
import { HEAD, startNativeSession as start } from "../../support/native-session.ts";

test("a send that is lost ends the session, but not in the middle of the send", async () => {
  const { session, open, closes, state } = start();
  state.result = "lost";
  const { sink } = open();
  expect(closes).toEqual([]);
  expect(sink.heard).toEqual([]);
  await Promise.resolve();
  expect(closes).toEqual(["1011 send failed"]);
  expect(sink.heard).toEqual(["lost", "settled"]);
  session.handleSendResult("lost");
  await Promise.resolve();
  expect(closes.length).toBe(1);
});

test("the end of a session is reported to the pool first, then to each exchange", () => {
  const order: string[] = [];
  const { session, open, told } = start();
  told.push = (what) => order.push(what);
  for (const name of ["first", "second"]) {
    const { sink } = open();
    sink.onEnd = (end) => order.push(`${name} ${end.kind}`);
  }
  session.close({ code: 4001, reason: "replaced" });
  expect(order).toEqual(["closed replaced", "first lost", "second lost"]);
});

test("a late or second close changes nothing, and messages after the first are ignored", () => {
  const { session, open, closes, told, logged, sent } = start();
  const { sink, exchange } = open();
  session.close({ code: 1000, reason: "bye" });
  session.handleClosed("late");
  session.close({ code: 1002, reason: "later" });
  session.handleMessage(encodeResponse(1, HEAD, new Uint8Array(1), true));
  session.handleMessage("garbage");
  session.handleDrain();
  exchange.consumed(5);
  exchange.cancel("canceled");
  session.sendDrain("x", 1);
  expect(closes).toEqual(["1000 bye"]);
  expect(told).toEqual(["closed bye"]);
  expect(logged.length).toBe(1);
  expect(sink.heard).toEqual(["lost", "settled"]);
  expect(sent.length).toBe(1);
});

test("an exchange that cancels a neighbour while the session closes does not end the neighbour twice", () => {
  const { session, open } = start();
  const first = open();
  const second = open();
  first.sink.onEnd = () => second.exchange.cancel("canceled");
  session.handleClosed("gone");
  expect(second.sink.heard).toEqual(["canceled", "settled"]);
});

test("an exchange opened on a closed session is lost, after the call, and nothing is sent", async () => {
  const { session, open, sent } = start();
  session.handleClosed("gone");
  const { sink } = open();
  expect(sink.heard).toEqual([]);
  await Promise.resolve();
  expect(sink.heard).toEqual(["lost", "settled"]);
  expect(sent).toEqual([]);
});

test("a sink that closes the session during a call gets no more data", () => {
  const { session, open } = start();
  const { sink } = open();
  const onData = sink.onData;
  sink.onData = (bytes) => {
    onData(bytes);
    session.close({ code: 1011, reason: "enough" });
  };
  session.handleMessage(encodeResponse(1, HEAD, new Uint8Array(1), true));
  expect(sink.heard).toEqual(["head", "data 1", "lost", "settled"]);
});
