import { expect, test } from "bun:test";
import { keysOfTenants, usedById } from "../../../src/admin/used-by-id.ts";
import { KeyBook } from "../../../src/keys/key-book.ts";
import { createMemoryRecords } from "../../../src/keys/key-records.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const BY = { by: "cli" };

test("a tenant has used what its keys have, also those that have ended, and a key what it has itself", () => {
  const book = new KeyBook({ records: createMemoryRecords(), clock: new FakeClock(), maxRequests: 0 });
  const make = (tenant?: string): string =>
    book.create({ kind: "client", terms: { name: "k", limits: {}, tenant } }, BY).entry.id;
  const [one, two, other, plain] = [make("team"), make("team"), make("other"), make()];
  book.create({ kind: "worker", terms: { name: "w", limits: {} } }, BY);
  book.revoke(two, BY);
  const amounts: Record<string, number> = { [one]: 1, [two]: 20, [other]: 300, [plain]: 4000 };
  const used = usedById(book, (id, at) => ({ tokens: (amounts[id] ?? 50_000) + at, audioMs: 1500 }));
  expect(used("tenant:team", "tokens", 0)).toBe(21);
  expect(used("tenant:default", "tokens", 0)).toBe(4000);
  expect(used("tenant:nobody", "tokens", 0)).toBe(0);
  expect(used("tenant:team", "audio_seconds", 0)).toBe(3);
  expect(used(other, "tokens", 5)).toBe(305);
});

test("all budgets of all tenants look at the keys once, and again after a change of a key", () => {
  const book = new KeyBook({ records: createMemoryRecords(), clock: new FakeClock(), maxRequests: 0 });
  const make = (tenant: string): string =>
    book.create({ kind: "client", terms: { name: "k", limits: {}, tenant } }, BY).entry.id;
  for (const tenant of ["a", "b"]) make(tenant);
  let looks = 0;
  const list = (): ReturnType<KeyBook["list"]> => {
    looks += 1;
    return book.list();
  };
  const keysOf = keysOfTenants({ list, onChange: (listener) => book.onChange(listener) });
  const used = usedById(book, () => ({ tokens: 1, audioMs: 0 }), keysOf);
  const all = (): readonly number[] => ["a", "b", "c"].map((name) => used(`tenant:${name}`, "tokens", 0));
  expect([...all(), ...all()]).toEqual([1, 1, 0, 1, 1, 0]);
  expect(looks).toBe(1);
  const moved = make("c");
  book.update(moved, { terms: { tenant: "a" }, limits: {} });
  expect(all()).toEqual([2, 1, 0]);
  expect(looks).toBe(2);
});
