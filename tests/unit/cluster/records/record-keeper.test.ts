import { expect, test } from "bun:test";
import type { OpenedBucket } from "../../../../src/cluster/records/bucket.ts";
import { RecordKeeper } from "../../../../src/cluster/records/record-keeper.ts";
import { RecordTable } from "../../../../src/cluster/records/record-table.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { MemoryBucket, type View } from "../../../support/memory-bucket.ts";
import { MemoryNetwork } from "../../../support/memory-bus.ts";
import { turn } from "../../../support/turn.ts";

function createRig() {
  const clock = new FakeClock();
  const bus = new MemoryNetwork(clock).join("a");
  const bucket = new MemoryBucket();
  const table = new RecordTable();
  const logged: string[] = [];
  const line = (event: string): void => void logged.push(event);
  const log = { debug: line, info: line, warn: line, error: line, with: () => log };
  const views: View[] = [];
  const rig = { clock, bus, bucket, table, logged, views, answer: undefined as OpenedBucket | undefined };
  const open = (): Promise<OpenedBucket> => {
    if (rig.answer) return Promise.resolve(rig.answer);
    const view = bucket.open();
    views.push(view);
    return Promise.resolve({ ok: true, bucket: view });
  };
  return { ...rig, rig, keep: () => new RecordKeeper({ table, bus, open, clock, log }) };
}

test("a table is attached while the bus is up, and again after each cut", async () => {
  const { keep, table, bus, bucket, views, clock } = createRig();
  const keeper = keep();
  expect(keeper.hasRecords).toBeUndefined();
  await turn();
  await bucket.settle();
  expect(keeper.hasRecords).toBe(true);
  table.set("x", "1");
  await bucket.settle();
  bus.disconnect();
  views.at(-1)?.break();
  await turn();
  table.set("y", "1");
  clock.advance(5000);
  await turn();
  expect(views).toHaveLength(1);
  bus.reconnect();
  await turn();
  await bucket.settle();
  expect(views).toHaveLength(2);
  expect(bucket.records()).toEqual({ x: "1", y: "1" });
});

test("a bucket that ends by itself is opened again after a second", async () => {
  const { keep, bucket, views, clock } = createRig();
  keep();
  await turn();
  views.at(-1)?.break();
  await turn();
  expect(views).toHaveLength(1);
  clock.advance(1000);
  await turn();
  await bucket.settle();
  expect(views).toHaveLength(2);
});

const ABSENT: OpenedBucket = { ok: false, reason: "NATS has no JetStream", isAbsent: true };

/** Lets so many seconds pass, in each of which the bucket may be opened. */
async function pass(clock: FakeClock, seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second += 1) {
    clock.advance(1000);
    await turn();
  }
}

test("that NATS has no JetStream counts after five seconds, within which it is asked every second", async () => {
  const { keep, rig, clock, bucket } = createRig();
  rig.answer = ABSENT;
  const keeper = keep();
  await turn();
  await pass(clock, 4);
  expect(keeper.hasRecords).toBeUndefined();
  rig.answer = undefined;
  await pass(clock, 1);
  await bucket.settle();
  expect(keeper.hasRecords).toBe(true);

  const other = createRig();
  other.rig.answer = ABSENT;
  const without = other.keep();
  await turn();
  await pass(other.clock, 5);
  expect(without.hasRecords).toBe(false);
});

test("the five seconds begin anew after an outage of NATS, and after any other answer", async () => {
  const { keep, rig, clock, bus } = createRig();
  rig.answer = ABSENT;
  const keeper = keep();
  await turn();
  await pass(clock, 3);
  bus.disconnect();
  await pass(clock, 60);
  bus.reconnect();
  await turn();
  await pass(clock, 3);
  rig.answer = { ok: false, reason: "no answer", isAbsent: false };
  await pass(clock, 1);
  rig.answer = ABSENT;
  await pass(clock, 5);
  expect(keeper.hasRecords).toBeUndefined();
  await pass(clock, 1);
  expect(keeper.hasRecords).toBe(false);
});

test("without JetStream the server says so once, and looks for it every 30 seconds", async () => {
  const { keep, rig, logged, clock, bucket } = createRig();
  rig.answer = ABSENT;
  const keeper = keep();
  await turn();
  await pass(clock, 5);
  expect(keeper.hasRecords).toBe(false);
  clock.advance(30_000);
  await turn();
  expect(logged).toEqual(["cluster.records_not_kept"]);
  rig.answer = undefined;
  clock.advance(30_000);
  await turn();
  await bucket.settle();
  expect(keeper.hasRecords).toBe(true);
});

test("a failure that may pass leaves open whether there are records", async () => {
  const { keep, rig, clock, bucket } = createRig();
  rig.answer = { ok: false, reason: "no leader", isAbsent: false };
  const keeper = keep();
  await turn();
  expect(keeper.hasRecords).toBeUndefined();
  rig.answer = undefined;
  clock.advance(1000);
  await turn();
  await bucket.settle();
  expect(keeper.hasRecords).toBe(true);
});

test("the last changes are written before the end, for which nothing waits longer than a second", async () => {
  const { keep, table, bucket, clock } = createRig();
  const keeper = keep();
  await turn();
  await bucket.settle();
  table.set("x", "1");
  let isClosed = false;
  const closed = keeper.close().then(() => {
    isClosed = true;
  });
  await bucket.settle();
  clock.advance(10);
  await closed;
  expect(isClosed).toBe(true);
  expect(bucket.records()).toEqual({ x: "1" });

  const other = createRig();
  const stuck = other.keep();
  await turn();
  await other.bucket.settle();
  other.table.set("x", "1");
  const end = stuck.close();
  for (let step = 0; step < 110; step += 1) {
    other.clock.advance(10);
    await turn();
  }
  await end;
});
