import { expect, test } from "bun:test";
import { usedById } from "../../../src/admin/used-by-id.ts";
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
