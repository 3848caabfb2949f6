import { expect, test } from "bun:test";
import { createKeyCharges } from "../../../src/admin/key-charges.ts";
import { KeyBook } from "../../../src/keys/key-book.ts";
import type { KeyEntry } from "../../../src/keys/key-entry.ts";
import { createMemoryRecords } from "../../../src/keys/key-records.ts";
import { EndedUsage } from "../../../src/usage/ended-usage.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const BY = { by: "admin-key:1" };
const NEEDS = () => ({ inputTokens: 1, maxOutput: 1 });

function setUp(entries: readonly KeyEntry[] = []) {
  const clock = new FakeClock();
  const book = new KeyBook({ records: createMemoryRecords(entries), clock, maxRequests: 0 });
  const { meter } = new EndedUsage({ clock, flushMs: 1000, usage: undefined, failedJobs: undefined });
  const charges = createKeyCharges(book, undefined, clock, meter);
  charges.setTenant("full", { requestsPerMinute: 1 });
  charges.setTenant("free", { requestsPerMinute: 10 });
  return { book, charges };
}

test("a waiting request follows its key to another tenant, and one that arrives later has its limits from the start", () => {
  const { book, charges } = setUp();
  const { id } = book.create({ kind: "client", terms: { name: "k", tenant: "full", limits: {} } }, BY).entry;
  const opened = [1, 2].map(() => charges.open({ keyId: id, tenant: "full" }, NEEDS));
  opened[0]?.admit();
  const [, waiting] = opened;
  waiting?.join();
  expect(waiting?.admissionHold()?.limit).toBe("tenant.requests_per_minute");
  book.update(id, { terms: { tenant: "free" }, limits: {} });
  expect([waiting?.group, waiting?.admissionHold()]).toEqual(["tenant:free", undefined]);
  expect(charges.open({ keyId: id, tenant: "free" }, NEEDS)?.group).toBe("tenant:free");
  expect(charges.allowances.of("tenant:full")?.waiting).toBe(0);
});

test("a key of the keys file that becomes one of another kind has no limits any more", () => {
  const { book, charges } = setUp();
  const secret = { hash: "a".repeat(64), hint: "sha256:aaaa…", madeAt: 0 };
  const key = { name: "ci", id: "file:ci", source: "file", secret, former: [], revision: 1, createdAt: 0 } as const;
  const of = (kind: "client" | "worker") => ({ ...key, kind, createdBy: "KEYS_FILE", limits: { parallel: 1 } });
  book.replaceFile([of("client")]);
  expect(charges.allowances.of("file:ci")).toBeDefined();
  book.replaceFile([of("worker")]);
  expect(charges.allowances.of("file:ci")).toBeUndefined();
});

test("keys that have expired keep their limits until they are forgotten, and not after that", () => {
  const entries = Array.from({ length: 20_000 }, (_, n): KeyEntry => {
    const key = { id: `key${n}`, kind: "client", source: "made", name: "k", former: [], revision: 1 } as const;
    const secret = { hash: `hash${n}`, hint: "mk_…", madeAt: 0 };
    const expiry = n < 10_000 && { expiresAt: 1 };
    return { ...key, secret, limits: { parallel: 1 }, createdAt: 0, createdBy: "admin-key:1", ...expiry };
  });
  const { book, charges } = setUp(entries);
  const isLimited = ({ id }: KeyEntry): boolean => charges.allowances.of(id) !== undefined;
  expect(entries.every(isLimited)).toBe(true);
  book.create({ kind: "client", terms: { name: "k", limits: {} } }, BY);
  const isKept = ({ id }: KeyEntry): boolean => book.get(id) !== undefined;
  expect(entries.filter(isKept)).toHaveLength(19_000);
  expect(entries.filter(isLimited)).toEqual(entries.filter(isKept));
});
