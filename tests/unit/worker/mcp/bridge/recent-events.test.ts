import { expect, test } from "bun:test";
import { RecentEvents, ReplayRoom } from "../../../../../src/worker/mcp/bridge/recent-events.ts";

const message = (id: number, text = "") => ({ jsonrpc: "2.0" as const, id, result: { text } });

async function replay(events: RecentEvents, after: string): Promise<unknown[]> {
  const sent: unknown[] = [];
  await events.replayEventsAfter(after, { send: async (_id, each) => void sent.push((each as { id: number }).id) }); // as stored below
  return sent;
}

test("a client gets the events that it missed on its own stream, in order, and no others", async () => {
  const events = new RecentEvents(new ReplayRoom());
  const first = await events.storeEvent("a", message(1));
  await events.storeEvent("b", message(2));
  await events.storeEvent("a", message(3));
  await events.storeEvent("a", message(4));
  expect(await replay(events, first)).toEqual([3, 4]);
  expect(await events.getStreamIdForEventId(first)).toBe("a");
});

test("the oldest events are dropped first, by number and by size, and the gap is reported", async () => {
  const many = new RecentEvents(new ReplayRoom());
  const ids = [];
  for (let id = 0; id < 1500; id += 1) ids.push(await many.storeEvent("a", message(id)));
  expect(await many.getStreamIdForEventId(ids[499] ?? "")).toBeUndefined();
  expect(await replay(many, ids[1497] ?? "")).toEqual([1498, 1499]);
  await expect(replay(many, ids[0] ?? "")).rejects.toThrow("not kept any more");
  const large = new RecentEvents(new ReplayRoom());
  const early = await large.storeEvent("a", message(1));
  for (let id = 2; id < 8; id += 1) await large.storeEvent("a", message(id, "x".repeat(1024 * 1024)));
  expect(await large.getStreamIdForEventId(early)).toBeUndefined();
});

test("sessions share the room for events, and one that finds it full keeps no more until others have ended", async () => {
  const room = new ReplayRoom();
  const large = message(1, "x".repeat(30 * 1024 * 1024));
  const others = Array.from({ length: 4 }, () => new RecentEvents(room));
  for (const each of others) await each.storeEvent("a", large);
  const late = new RecentEvents(room);
  const unkept = await late.storeEvent("a", large);
  expect(await late.getStreamIdForEventId(unkept)).toBeUndefined();
  others[0]?.forget();
  const kept = await late.storeEvent("a", large);
  expect(await late.getStreamIdForEventId(kept)).toBe("a");
});

test("nothing is kept of a stream whose answer went another way", async () => {
  const events = new RecentEvents(new ReplayRoom());
  const first = await events.storeEvent("a", message(1));
  const other = await events.storeEvent("b", message(2));
  const last = message(3);
  events.retire(last);
  await events.storeEvent("a", last);
  expect(await events.getStreamIdForEventId(first)).toBeUndefined();
  expect(await events.getStreamIdForEventId(other)).toBe("b");
});
