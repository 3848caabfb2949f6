import { afterEach, expect, test } from "bun:test";
import { createClusterOAuth } from "../../../../src/cluster/records/cluster-oauth.ts";
import { RecordTable } from "../../../../src/cluster/records/record-table.ts";
import { OAuthTable } from "../../../../src/oauth/oauth-table.ts";
import { removeGrant } from "../../../../src/oauth/room.ts";
import { systemClock } from "../../../../src/system/clock.ts";
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

test("a server of a cluster without records keeps its own", async () => {
  const table = start(undefined, false);
  expect(table.isUnread).toBe(false);
  expect(await table.put(GRANT, undefined)).toBe("written");
  expect(await removeGrant(table, GRANT.name)).toBe(true);
  expect(table.get(GRANT.name)).toBeUndefined();
});
