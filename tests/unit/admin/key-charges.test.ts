import { expect, test } from "bun:test";
import { createKeyCharges } from "../../../src/admin/key-charges.ts";
import { KeyBook } from "../../../src/keys/key-book.ts";
import { createMemoryRecords } from "../../../src/keys/key-records.ts";
import { EndedUsage } from "../../../src/usage/ended-usage.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const BY = { by: "admin-key:1" };
const NEEDS = () => ({ inputTokens: 1, maxOutput: 1 });

function setUp() {
  const clock = new FakeClock();
  const book = new KeyBook({ records: createMemoryRecords(), clock, maxRequests: 0 });
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
