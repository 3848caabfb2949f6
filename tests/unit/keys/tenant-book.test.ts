import { expect, test } from "bun:test";
import { Fault } from "../../../src/errors.ts";
import { TenantBook } from "../../../src/keys/tenant-book.ts";
import type { TenantEntry } from "../../../src/keys/tenant-entry.ts";
import { createMemoryTenants } from "../../../src/keys/tenant-records.ts";
import { FakeClock } from "../../support/fake-clock.ts";

function setUp(entries: readonly TenantEntry[] = [], isKept = true) {
  const clock = new FakeClock();
  const records = createMemoryTenants(entries);
  const book = new TenantBook({ records: isKept ? records : undefined, clock });
  const told: (readonly [string, object])[] = [];
  book.onChange((name, limits) => told.push([name, limits]));
  return { clock, records, book, told };
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

const inFile = (name: string, parallel: number): TenantEntry => ({
  name,
  limits: { parallel },
  source: "file",
  changedAt: 1,
  changedBy: "KEYS_FILE",
});

test("limits are set, replaced, kept and removed, and each change is told", () => {
  const { clock, records, book, told } = setUp();
  const entry = book.set("research", { parallel: 8 }, "admin-key:1");
  expect(entry).toEqual({
    name: "research",
    limits: { parallel: 8 },
    source: "made",
    changedAt: clock.now(),
    changedBy: "admin-key:1",
  });
  book.set("research", { tokensPerDay: 5 }, "cli");
  book.set("art", { parallel: 1 }, "cli");
  expect(book.list().map(({ name }) => name)).toEqual(["art", "research"]);
  expect(new TenantBook({ records, clock }).get("research")?.limits).toEqual({ tokensPerDay: 5 });
  book.remove("research");
  expect(records.load().map(({ name }) => name)).toEqual(["art"]);
  expect(told).toEqual([
    ["research", { parallel: 8 }],
    ["research", { tokensPerDay: 5 }],
    ["art", { parallel: 1 }],
    ["research", {}],
  ]);
  expect(codeOf(() => book.remove("research"))).toBe("tenant_not_found");
});

test("a tenant of the file comes before one that was set, and is changed in the file only", () => {
  const { book, told } = setUp();
  book.set("research", { parallel: 8 }, "cli");
  book.replaceFile([inFile("research", 2), inFile("lab", 3)]);
  expect(book.get("research")?.limits).toEqual({ parallel: 2 });
  expect(codeOf(() => book.set("research", { parallel: 9 }, "cli"))).toBe("tenant_in_file");
  expect(codeOf(() => book.remove("lab"))).toBe("tenant_in_file");
  book.replaceFile([inFile("lab", 3)]);
  expect(book.get("research")?.limits).toEqual({ parallel: 8 });
  expect(told).toEqual([
    ["research", { parallel: 8 }],
    ["research", { parallel: 2 }],
    ["lab", { parallel: 3 }],
    ["research", { parallel: 8 }],
  ]);
});

test("nothing is set where nothing is kept", () => {
  const { book } = setUp([], false);
  expect(codeOf(() => book.set("research", { parallel: 1 }, "cli"))).toBe("keys_not_kept");
  book.replaceFile([inFile("lab", 3)]);
  expect(book.list()).toHaveLength(1);
});

test("the number of tenants with limits is bounded", () => {
  const { book } = setUp();
  for (let count = 0; count < 1000; count += 1) book.set(`t${count}`, { parallel: 1 }, "cli");
  expect(codeOf(() => book.set("one more", { parallel: 1 }, "cli"))).toBe("invalid_request");
  expect(codeOf(() => book.set("t5", { parallel: 2 }, "cli"))).toBe("no fault");
});

test("the digest of the file's tenants tells whether two servers have the same ones", () => {
  const [one, other] = [setUp().book, setUp().book];
  expect(one.fileDigest()).toBeUndefined();
  one.replaceFile([inFile("lab", 2), inFile("research", 4)]);
  other.replaceFile([{ ...inFile("research", 4), changedAt: 9 }, inFile("lab", 2)]);
  expect(one.fileDigest()).toBe(other.fileDigest() ?? "");
  other.replaceFile([inFile("research", 5), inFile("lab", 2)]);
  expect(one.fileDigest()).not.toBe(other.fileDigest() ?? "");
});
