import { describe, expect, test } from "bun:test";
import type { SignOut } from "../../../../src/auth/sign-outs.ts";
import { createClusterRecords } from "../../../../src/cluster/records/cluster-records.ts";
import { RecordTable } from "../../../../src/cluster/records/record-table.ts";
import type { Restriction } from "../../../../src/plugin/restrictions.ts";
import { createRecords, type StoredRecords } from "../../../../src/store/records.ts";
import { openStore } from "../../../../src/store/store.ts";
import { createLog } from "../../../../src/system/log.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { MemoryBucket } from "../../../support/memory-bucket.ts";
import { temporaryDirectory } from "../../../support/temporary-directory.ts";

const DRAIN: Restriction = { kind: "drained", workerId: "gpu:1@x.y", workerName: "GPU", by: "admin-key:1", since: 5 };
const BLOCK: Restriction = { kind: "blocked", workerId: "gpu:1@x.y", workerName: undefined, by: "admin", since: 4 };
const OWNED = { id: "gpu:1@x.y", owner: "key:1", isMade: false };

function start(serverId: string, bucket?: MemoryBucket, local?: StoredRecords) {
  const table = new RecordTable();
  const records = createClusterRecords({ table, serverId, plugins: ["llm", "mcp"], local });
  if (bucket) table.attach(bucket.open());
  return { table, records };
}

/** Opens a database for the time of `use`. */
async function withLocal(use: (local: StoredRecords) => Promise<void>): Promise<void> {
  const directory = temporaryDirectory();
  const log = createLog({ level: "none", format: "json", write: () => {}, now: () => 0 });
  const store = openStore(directory.path, { clock: new FakeClock(), log });
  try {
    await use(createRecords(store));
  } finally {
    store.close();
    directory.remove();
  }
}

test("each server has what the others have recorded, apart by plugin", async () => {
  const bucket = new MemoryBucket();
  const a = start("a", bucket);
  const signOut: SignOut = { id: "s1", endsAt: 9 };
  a.records.restrictions("llm").save(DRAIN);
  a.records.restrictions("llm").save(BLOCK);
  a.records.owners("llm").save({ ...OWNED, leftAt: 7 });
  a.records.signOuts().save(signOut);
  await bucket.settle();
  const b = start("b", bucket);
  await bucket.settle();
  expect(b.records.restrictions("llm").load()).toEqual([BLOCK, DRAIN]);
  expect(b.records.owners("llm").load()).toEqual([{ ...OWNED, leftAt: 7 }]);
  expect(b.records.signOuts().load()).toEqual([signOut]);
  expect(b.records.restrictions("mcp").load()).toEqual([]);
  expect(b.records.owners("mcp").load()).toEqual([]);
});

test("each server is told of what the others change", async () => {
  const bucket = new MemoryBucket();
  const [a, b] = [start("a", bucket), start("b", bucket)];
  await bucket.settle();
  const told: unknown[] = [];
  b.records.restrictions("llm").watch?.({
    saved: (restriction) => told.push(restriction),
    removed: (kind, id) => told.push([kind, id]),
  });
  b.records.owners("llm").watch?.({ saved: (owned) => told.push(owned), removed: (id) => told.push(id) });
  b.records.signOuts().watch?.((signOut) => told.push(signOut));
  const restrictions = a.records.restrictions("llm");
  restrictions.save(DRAIN);
  await bucket.settle();
  restrictions.remove("drained", DRAIN.workerId);
  a.records.owners("llm").save({ ...OWNED, leftAt: undefined });
  a.records.signOuts().save({ id: "s1", endsAt: 9 });
  await bucket.settle();
  a.records.owners("llm").remove(OWNED.id);
  a.records.signOuts().remove("s1");
  await bucket.settle();
  expect(told).toEqual([
    DRAIN,
    ["drained", DRAIN.workerId],
    { ...OWNED, leftAt: undefined, isElsewhere: true },
    { id: "s1", endsAt: 9 },
    OWNED.id,
  ]);
});

test("a worker that was connected when its server died is connected nowhere for that server", async () => {
  const bucket = new MemoryBucket();
  start("a", bucket)
    .records.owners("llm")
    .save({ ...OWNED, leftAt: undefined });
  await bucket.settle();
  const [again, other] = [start("a", bucket), start("b", bucket)];
  await bucket.settle();
  expect(again.records.owners("llm").load()).toEqual([{ ...OWNED, leftAt: undefined }]);
  expect(other.records.owners("llm").load()).toEqual([{ ...OWNED, leftAt: undefined, isElsewhere: true }]);
});

test("a record that another version wrote in another form is left out", async () => {
  const bucket = new MemoryBucket();
  const a = start("a", bucket);
  await bucket.settle();
  const key = (id: string): string => Buffer.from(id).toString("base64url");
  a.table.set(`owner.llm.${key("x")}`, "[]");
  a.table.set(`owner.llm.${key("y")}`, "{");
  a.table.set("owner.llm.=", '{"owner":"o","made":false,"left":null,"at":"a"}');
  a.table.set(`restriction.llm.${key("paused.x")}`, JSON.stringify({ name: null, by: "x", since: 1 }));
  a.table.set(`restriction.llm.${key("drained.z")}`, JSON.stringify({ name: null, by: "x", since: 1, why: "new" }));
  expect(a.records.owners("llm").load()).toEqual([]);
  expect(a.records.restrictions("llm").load()).toEqual([
    { kind: "drained", workerId: "z", workerName: undefined, by: "x", since: 1 },
  ]);
});

test("a record of an id that no worker can have is left out", async () => {
  const bucket = new MemoryBucket();
  const a = start("a", bucket);
  await bucket.settle();
  for (const id of ["", "..", "<b>", "a b", "x".repeat(129)]) {
    const key = (text: string): string => Buffer.from(text).toString("base64url");
    a.table.set(`restriction.llm.${key(`blocked.${id}`)}`, JSON.stringify({ name: null, by: "x", since: 1 }));
    a.table.set(`owner.llm.${key(id)}`, JSON.stringify({ owner: "o", made: false, left: 1, at: "a" }));
  }
  expect(a.records.restrictions("llm").load()).toEqual([]);
  expect(a.records.owners("llm").load()).toEqual([]);
});

test("a record with a time that is none is left out, so that it cannot break what is shown", async () => {
  const bucket = new MemoryBucket();
  const a = start("a", bucket);
  await bucket.settle();
  const key = (id: string): string => Buffer.from(id).toString("base64url");
  for (const time of [1e300, -1, 8.64e15 + 1]) {
    a.table.set(`restriction.llm.${key("drained.z")}`, JSON.stringify({ name: null, by: "x", since: time }));
    a.table.set(`owner.llm.${key("z")}`, JSON.stringify({ owner: "o", made: false, left: time, at: "a" }));
    a.table.set(`sign-out.${key("z")}`, JSON.stringify({ ends: time }));
    expect(a.records.restrictions("llm").load()).toEqual([]);
    expect(a.records.owners("llm").load()).toEqual([]);
    expect(a.records.signOuts().load()).toEqual([]);
  }
});

describe("the secret", () => {
  test("is the same on all servers, has 256 random bits, and is not known before the records are", async () => {
    const bucket = new MemoryBucket();
    const all = ["a", "b", "c"].map((id) => start(id, bucket));
    expect(all.map(({ records }) => records.secret.current())).toEqual([undefined, undefined, undefined]);
    await bucket.settle();
    const [secret = ""] = all.map(({ records }) => records.secret.current());
    expect(Buffer.from(secret, "base64url")).toHaveLength(32);
    expect(all.map(({ records }) => records.secret.current())).toEqual([secret, secret, secret]);
    const late = start("d", bucket);
    await bucket.settle();
    expect(late.records.secret.current()).toBe(secret);
  });

  test("stays what a single server had when it becomes the first of a cluster", async () => {
    await withLocal(async (local) => {
      const own = local.secret.current();
      expect(own).toBeString();
      const bucket = new MemoryBucket();
      const { records } = start("a", bucket, local);
      await bucket.settle();
      expect(records.secret.current()).toBe(own);
    });
  });
});

describe("a server with a database", () => {
  test("brings what it has to a cluster that is new", async () => {
    await withLocal(async (local) => {
      local.restrictions("llm").save(DRAIN);
      local.owners("mcp").save({ ...OWNED, leftAt: 7 });
      const bucket = new MemoryBucket();
      start("a", bucket, local);
      await bucket.settle();
      const b = start("b", bucket);
      await bucket.settle();
      expect(b.records.restrictions("llm").load()).toEqual([DRAIN]);
      expect(b.records.owners("mcp").load()).toEqual([{ ...OWNED, leftAt: 7 }]);
    });
  });

  test("follows a cluster that it joins, and does not bring back a drain that was lifted while it was away", async () => {
    await withLocal(async (local) => {
      local.restrictions("llm").save(DRAIN);
      const bucket = new MemoryBucket();
      const other = start("b", bucket);
      other.records.restrictions("llm").save(BLOCK);
      await bucket.settle();
      const { records } = start("a", bucket, local);
      await bucket.settle();
      expect(records.restrictions("llm").load()).toEqual([BLOCK]);
      expect(local.restrictions("llm").load()).toEqual([BLOCK]);
      expect(other.records.restrictions("llm").load()).toEqual([BLOCK]);
    });
  });

  test("uses it while the records of the cluster cannot be read, and keeps a copy of them in it", async () => {
    await withLocal(async (local) => {
      local.restrictions("llm").save(DRAIN);
      const { records, table } = start("a", undefined, local);
      const restrictions = records.restrictions("llm");
      expect(restrictions.load()).toEqual([DRAIN]);
      const told: unknown[] = [];
      restrictions.watch?.({
        saved: (restriction) => told.push(restriction),
        removed: (kind, id) => told.push([kind, id]),
      });
      const bucket = new MemoryBucket();
      start("b", bucket).records.restrictions("llm").save(BLOCK);
      await bucket.settle();
      table.attach(bucket.open());
      await bucket.settle();
      expect(told).toEqual([BLOCK, ["drained", DRAIN.workerId]]);
      expect(local.restrictions("llm").load()).toEqual([BLOCK]);
      restrictions.save(DRAIN);
      restrictions.remove("blocked", BLOCK.workerId);
      expect(local.restrictions("llm").load()).toEqual([DRAIN]);
    });
  });
});
