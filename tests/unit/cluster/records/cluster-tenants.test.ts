import { expect, test } from "bun:test";
import { createClusterTenants } from "../../../../src/cluster/records/cluster-tenants.ts";
import { RecordTable } from "../../../../src/cluster/records/record-table.ts";
import { Fault } from "../../../../src/errors.ts";
import { TenantBook } from "../../../../src/keys/tenant-book.ts";
import { createMemoryTenants, type TenantRecords } from "../../../../src/keys/tenant-records.ts";
import { silentLog } from "../../../../src/system/log.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { MemoryBucket } from "../../../support/memory-bucket.ts";

function start(bucket?: MemoryBucket, local?: TenantRecords, clock = new FakeClock()) {
  const table = new RecordTable();
  const records = createClusterTenants({ table, local, log: silentLog });
  if (bucket) table.attach(bucket.open());
  const standing = { isKept: true, isAway: false };
  const book = new TenantBook({ records, clock, isKept: () => standing.isKept, isAway: () => standing.isAway });
  const told: string[] = [];
  book.onChange((name, limits) => told.push(`${name} ${JSON.stringify(limits)}`));
  return { table, book, told, clock, standing };
}

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof Fault) return error.code;
    throw error;
  }
  return "no fault";
}

test("limits of a tenant that are set at one server hold at all of them, until they are removed", async () => {
  const bucket = new MemoryBucket();
  const local = createMemoryTenants();
  const [a, b] = [start(bucket), start(bucket, local)];
  await bucket.settle();
  a.book.set("Forschung ü", { parallel: 2 }, "admin-key:1");
  await bucket.settle();
  expect(b.told).toEqual(['Forschung ü {"parallel":2}']);
  expect(local.load()).toEqual([...a.book.list()]);
  const late = start(bucket);
  await bucket.settle();
  expect(late.book.get("Forschung ü")?.limits).toEqual({ parallel: 2 });
  b.book.set("Forschung ü", { tokensPerDay: 9 }, "admin-key:2");
  await bucket.settle();
  expect([a, late].map(({ book }) => book.list())).toEqual([b.book.list(), b.book.list()]);
  late.book.remove("Forschung ü");
  await bucket.settle();
  for (const { book } of [a, b]) expect(book.list()).toEqual([]);
  expect(local.load()).toEqual([]);
});

test("a change counts after that of a server whose clock is ahead", async () => {
  const bucket = new MemoryBucket();
  const ahead = new FakeClock();
  ahead.advance(3_600_000);
  const [a, b] = [start(bucket, undefined, ahead), start(bucket)];
  await bucket.settle();
  a.book.set("research", { parallel: 2 }, "admin");
  await bucket.settle();
  b.book.set("research", { parallel: 3 }, "admin");
  await bucket.settle();
  for (const { book } of [a, b]) expect(book.get("research")?.limits).toEqual({ parallel: 3 });
});

test("a server brings the limits of its DATA_DIR to a cluster, and none that were removed or replaced there meanwhile", async () => {
  const bucket = new MemoryBucket();
  const local = createMemoryTenants();
  const a = start(bucket);
  const before = start(bucket, local);
  await bucket.settle();
  for (const name of ["removed", "replaced"]) before.book.set(name, { parallel: 1 }, "admin");
  await bucket.settle();
  before.table.detach();
  local.put({ name: "own", limits: { parallel: 7 }, source: "made", changedAt: 1, changedBy: "cli" });
  a.book.remove("removed");
  a.book.set("replaced", { parallel: 5 }, "admin");
  await bucket.settle();
  const again = start(bucket, local);
  await bucket.settle();
  for (const { book } of [a, again])
    expect(book.list().map(({ name, limits }) => [name, limits.parallel])).toEqual([
      ["own", 7],
      ["replaced", 5],
    ]);
  expect(
    local
      .load()
      .map(({ name }) => name)
      .toSorted(),
  ).toEqual(["own", "replaced"]);
});

test("limits are not changed while NATS cannot be reached, nor where nothing keeps them", () => {
  const { book, standing } = start();
  standing.isAway = true;
  expect(codeOf(() => book.set("research", { parallel: 1 }, "admin"))).toBe("keys_unavailable");
  Object.assign(standing, { isAway: false, isKept: false });
  expect(codeOf(() => book.set("research", { parallel: 1 }, "admin"))).toBe("keys_not_kept");
  standing.isKept = true;
  expect(codeOf(() => book.set("research", { parallel: 1 }, "admin"))).toBe("no fault");
});

test("a record that somebody else wrote counts for nothing unless it has limits within their bounds", async () => {
  const bucket = new MemoryBucket();
  const a = start(bucket);
  await bucket.settle();
  a.book.set("research", { parallel: 2 }, "admin");
  await bucket.settle();
  const entry = a.book.get("research");
  const [key = ""] = Object.keys(bucket.records());
  for (const wrong of [
    "",
    null,
    { ...entry, name: "other" },
    { ...entry, source: "file" },
    { ...entry, limits: { parallel: -1 } },
    { ...entry, limits: { timezone: "Mars/Olympus" } },
    { ...entry, changedAt: 1e300 },
    { ...entry, changedBy: "a\u0000" },
  ]) {
    bucket.write(key, JSON.stringify(wrong), bucket.get(key)?.revision ?? 0);
    await bucket.settle();
  }
  bucket.write("tenant.***", JSON.stringify(entry), 0);
  await bucket.settle();
  expect(a.book.list()).toEqual(entry ? [entry] : []);
  expect(a.told).toHaveLength(1);
});
