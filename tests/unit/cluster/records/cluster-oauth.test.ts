import { afterEach, expect, test } from "bun:test";
import type { BucketWrite } from "../../../../src/cluster/records/bucket.ts";
import { createClusterOAuth } from "../../../../src/cluster/records/cluster-oauth.ts";
import { RecordTable } from "../../../../src/cluster/records/record-table.ts";
import type { OAuthRow } from "../../../../src/oauth/oauth-records.ts";
import { OAuthTable } from "../../../../src/oauth/oauth-table.ts";
import { removeGrant } from "../../../../src/oauth/room.ts";
import { systemClock } from "../../../../src/system/clock.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { MemoryBucket } from "../../../support/memory-bucket.ts";

const GRANT = { name: "grant:ann:g1", value: "{}", expiresAt: undefined };
const TOKEN = { name: "token:ann:g1:aa", value: "t", expiresAt: undefined };

const running: (() => void)[] = [];
afterEach(() => {
  for (const stop of running.splice(0)) stop();
});

/** Opens one server of the cluster. */
function start(bucket: MemoryBucket | undefined, hasRecords = true): OAuthTable {
  const records = new RecordTable();
  const shared = createClusterOAuth({ table: records, reach: { hasRecords }, now: () => systemClock.now() });
  const table = new OAuthTable({ clock: systemClock, shared });
  running.push(() => table.close());
  if (bucket) records.attach(bucket.open());
  return table;
}

/** Waits for a promise while things happen in the bucket, in an order that `random` chooses. */
async function during<T>(bucket: MemoryBucket, promise: Promise<T>, random?: () => number): Promise<T> {
  let isOver = false;
  const result = promise.finally(() => {
    isOver = true;
  });
  while (!isOver) await bucket.settle(random);
  return result;
}

test("what one server writes, another one has, as soon as a client can bring it there", async () => {
  const bucket = new MemoryBucket();
  const [a, b] = [start(bucket), start(bucket)];
  expect(a.isUnread).toBe(true);
  await bucket.settle();
  expect(a.isUnread).toBe(false);
  const heard = b.heard(GRANT.name);
  expect(await during(bucket, a.put(GRANT, undefined))).toBe("written");
  expect(await during(bucket, heard)).toEqual(GRANT);
  expect(await during(bucket, a.put(TOKEN, undefined))).toBe("written");
  await bucket.settle();
  expect(b.get(TOKEN.name)).toEqual(TOKEN);
  // NATS remembers removed records for long, so a grant and its tokens are one.
  expect(Object.keys(bucket.records())).toEqual(["oauth.grant.ann.g1"]);
  const late = start(bucket);
  await bucket.settle();
  expect(late.get(TOKEN.name)).toEqual(TOKEN);
});

test("of two servers that change a record at the same time, one has to look again", async () => {
  const bucket = new MemoryBucket();
  const [a, b] = [start(bucket), start(bucket)];
  await bucket.settle();
  await during(bucket, a.put(GRANT, undefined));
  await bucket.settle();
  const both = Promise.all([a, b].map((each, index) => each.put({ ...GRANT, value: `${index}` }, "{}")));
  expect((await during(bucket, both)).toSorted()).toEqual(["conflict", "written"]);
  await bucket.settle();
  expect(a.get(GRANT.name)).toEqual(b.get(GRANT.name));
});

test("a revocation stands, whatever another server writes to the grant meanwhile", async () => {
  for (let seed = 1; seed <= 50; seed += 1) {
    let state = seed;
    const random = (): number => {
      state = (state * 48_271) % 2_147_483_647;
      return state / 2_147_483_647;
    };
    const bucket = new MemoryBucket();
    const [a, b] = [start(bucket), start(bucket)];
    await bucket.settle();
    await during(bucket, a.put(GRANT, undefined));
    await bucket.settle();
    const others = [b.put(TOKEN, undefined), b.put({ ...GRANT, value: "refreshed" }, "{}")];
    const removed = removeGrant(a, GRANT.name);
    expect(await during(bucket, removed, random)).toBe(true);
    await during(bucket, Promise.all(others), random);
    await bucket.settle(random);
    for (const each of [a, b]) {
      expect(each.get(GRANT.name)).toBeUndefined();
      expect(each.get(TOKEN.name)?.value).toBeUndefined();
    }
    expect(bucket.records()).toEqual({});
  }
});

test("nothing is said to be written or revoked that the other servers cannot know", async () => {
  const bucket = new MemoryBucket();
  const records = new RecordTable();
  const shared = createClusterOAuth({ table: records, reach: { hasRecords: true }, now: () => systemClock.now() });
  const table = new OAuthTable({ clock: systemClock, shared });
  running.push(() => table.close());
  records.attach(bucket.open());
  await bucket.settle();
  await during(bucket, table.put(GRANT, undefined));
  records.detach();
  expect(await table.put(TOKEN, undefined)).toBe("away");
  expect(await removeGrant(table, GRANT.name)).toBe(false);
  expect(table.get(GRANT.name)).toBeUndefined();
});

/** Opens one server of the cluster, with what it has of the bucket. */
async function reached(bucket: MemoryBucket) {
  const records = new RecordTable();
  const shared = createClusterOAuth({ table: records, reach: { hasRecords: true }, now: () => systemClock.now() });
  const table = new OAuthTable({ clock: systemClock, shared });
  running.push(() => table.close());
  records.attach(bucket.open());
  await bucket.settle();
  return { table, records };
}

test.each([
  ["another server has written nothing meanwhile", undefined],
  ["another server has refreshed it meanwhile", "refreshed"],
])("a revocation while NATS is away stands, and reaches all servers with NATS, where %s", async (_name, value) => {
  const bucket = new MemoryBucket();
  const { table, records } = await reached(bucket);
  const other = start(bucket);
  await bucket.settle();
  await during(bucket, table.put(GRANT, undefined));
  await during(bucket, table.put(TOKEN, undefined));
  await bucket.settle();
  records.detach();
  expect(await removeGrant(table, GRANT.name)).toBe(false);
  if (value !== undefined) await during(bucket, other.put({ ...GRANT, value }, GRANT.value));
  expect(other.get(TOKEN.name)).toEqual(TOKEN);
  const told: string[] = [];
  table.onRemoved(({ name }) => told.push(name));
  records.attach(bucket.open());
  await bucket.settle();
  for (const each of [table, other]) {
    expect(each.get(GRANT.name)).toBeUndefined();
    expect(each.get(TOKEN.name)).toBeUndefined();
  }
  expect(bucket.records()).toEqual({});
  // It was never there again.
  expect(told).toEqual([]);
});

test("a removal before the records were read is not said to be known, and follows", async () => {
  const bucket = new MemoryBucket();
  await during(bucket, (await reached(bucket)).table.put(GRANT, undefined));
  const late = start(bucket);
  expect(await removeGrant(late, GRANT.name)).toBe(false);
  await bucket.settle();
  expect(late.get(GRANT.name)).toBeUndefined();
  expect(bucket.records()).toEqual({});
});

test("a grant is removed with its tokens in one write", async () => {
  let writes = 0;
  class CountingBucket extends MemoryBucket {
    override write(...write: Parameters<MemoryBucket["write"]>): BucketWrite {
      writes += 1;
      return super.write(...write);
    }
  }
  const bucket = new CountingBucket();
  const { table } = await reached(bucket);
  await during(bucket, table.put(GRANT, undefined));
  for (const id of ["aa", "bb", "cc"])
    await during(bucket, table.put({ ...TOKEN, name: `token:ann:g1:${id}` }, undefined));
  const before = writes;
  expect(await during(bucket, removeGrant(table, GRANT.name))).toBe(true);
  await bucket.settle();
  // The empty record, and its removal.
  expect(writes - before).toBe(2);
});

test("a server of a cluster without records does not keep what has expired", () => {
  const clock = new FakeClock();
  const kept = new Set<string>();
  const keep = {
    load: () => [],
    save: ({ name }: OAuthRow) => kept.add(name),
    remove: (name: string) => kept.delete(name),
  };
  const records = new RecordTable();
  const shared = createClusterOAuth({ table: records, reach: { hasRecords: false }, now: () => clock.now() });
  const table = new OAuthTable({ clock, shared, keep });
  running.push(() => table.close());
  return Promise.all(
    [TOKEN, { ...TOKEN, name: "used:ann:g1" }, { ...TOKEN, name: "client:c1" }].map((row) =>
      table.put({ ...row, expiresAt: clock.now() + 1000 }, undefined),
    ),
  ).then(() => {
    expect(kept.size).toBe(3);
    clock.advance(60_000);
    expect([...kept]).toEqual([]);
  });
});

test("a server of a cluster without records keeps its own", async () => {
  const table = start(undefined, false);
  expect(table.isUnread).toBe(false);
  expect(await table.put(GRANT, undefined)).toBe("written");
  expect(await removeGrant(table, GRANT.name)).toBe(true);
  expect(table.get(GRANT.name)).toBeUndefined();
});
