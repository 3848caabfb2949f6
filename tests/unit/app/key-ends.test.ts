import { expect, test } from "bun:test";
import { endWithKeys } from "../../../src/app/key-ends.ts";
import { KeyBook } from "../../../src/keys/key-book.ts";
import type { KeyEntry, KeyKind } from "../../../src/keys/key-entry.ts";
import { createMemoryRecords } from "../../../src/keys/key-records.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const BY = { by: "admin-key:1" };

function setUp() {
  const clock = new FakeClock();
  const book = new KeyBook({ records: createMemoryRecords(), clock, maxRequests: 200 });
  const judged = new Map<string, string | undefined>();
  const watched: string[] = [];
  const termsOf = new Map<string, unknown>();
  let [looks, refreshes] = [0, 0];
  const stop = endWithKeys({
    book,
    clock,
    auth: {
      refresh() {
        refreshes += 1;
      },
    },
    sessions: {
      closeDisowned() {
        looks += 1;
      },
      setTerms: (owner, terms) => termsOf.set(owner, terms),
    },
    plugins: () => [
      {},
      {
        lifecycle: {
          endRequests(judge) {
            for (const id of watched) judged.set(id, judge(id)?.code);
          },
        },
      },
    ],
  });
  const make = (kind: KeyKind, expiresAt?: number): KeyEntry => {
    const { entry } = book.create({ kind, terms: { name: kind, limits: {}, expiresAt } }, BY);
    watched.push(entry.id);
    return entry;
  };
  const counts = (): readonly [number, number] => [looks, refreshes];
  return { clock, book, judged, watched, make, counts, stop, termsOf };
}

test("the requests of a client's key end when it is revoked, and those of others go on", () => {
  const { book, judged, make } = setUp();
  const [one, other] = [make("client"), make("client")];
  expect(judged.size).toBe(0);
  book.revoke(one.id, BY);
  expect([...judged]).toEqual([
    [one.id, "key_revoked"],
    [other.id, undefined],
  ]);
});

test("the transfers of a worker's key go on while it is valid, and end when it is revoked", () => {
  const { clock, book, judged, make } = setUp();
  const [one, other] = [make("worker"), make("worker")];
  clock.advance(5_000);
  expect([...judged.values()]).toEqual([undefined, undefined]);
  book.revoke(one.id, BY);
  expect([...judged]).toEqual([
    [one.id, "key_revoked"],
    [other.id, undefined],
  ]);
});

test("requests end within a second of their key's expiry, and not after the looking was stopped", () => {
  const { clock, judged, make, stop } = setUp();
  const { id } = make("client", clock.now() + 10_000);
  clock.advance(9_999);
  expect(judged.get(id)).toBeUndefined();
  clock.advance(1_001);
  expect(judged.get(id)).toBe("key_expired");
  judged.clear();
  stop();
  clock.advance(10_000);
  expect(judged.size).toBe(0);
});

test("sessions are looked at when a worker's key is revoked, and at least every 5 s", () => {
  const { clock, book, make, counts } = setUp();
  make("worker");
  const second = make("worker");
  const [before, refreshes] = counts();
  expect(refreshes).toBe(1);
  book.revoke(second.id, BY);
  expect(counts()[0]).toBe(before + 1);
  clock.advance(5_000);
  expect(counts()[0]).toBe(before + 2);
});

test("what a key of the keys file does ends when the key becomes one of another kind", () => {
  const { book, judged, watched, counts } = setUp();
  const secret = { hash: "a".repeat(64), hint: "sha256:aaaa…", madeAt: 0 };
  const key = { name: "ci", limits: {}, id: "file:ci", source: "file", secret } as const;
  const of = (kind: KeyKind): KeyEntry => {
    return { ...key, kind, former: [], revision: 1, createdAt: 0, createdBy: "KEYS_FILE" };
  };
  watched.push("file:ci");
  book.replaceFile([of("client")]);
  expect(judged.get("file:ci")).toBeUndefined();
  book.replaceFile([of("worker")]);
  expect(judged.get("file:ci")).toBe("key_revoked");
  const [looks] = counts();
  judged.clear();
  book.replaceFile([of("client")]);
  expect(judged.get("file:ci")).toBe("key_revoked");
  expect(counts()[0]).toBe(looks + 1);
});

test("what a worker's key allows counts for its sessions from its change on", () => {
  const { book, make, termsOf } = setUp();
  const { id } = make("worker");
  book.update(id, { terms: { maxSlots: 2, tenants: ["research"] }, limits: {} });
  expect(termsOf.get(`made:${id}`)).toEqual({ maxSlots: 2, tenants: ["research"] });
});

test("what a worker's key allows counts for its sessions when the keys file gives it another secret at the same time", () => {
  const { book, termsOf } = setUp();
  const secret = { hash: "a".repeat(64), hint: "sha256:aaaa…", madeAt: 0 };
  const key = { name: "gpu", limits: {}, id: "file:gpu", kind: "worker", source: "file", secret } as const;
  const entry: KeyEntry = { ...key, former: [], revision: 1, createdAt: 0, createdBy: "KEYS_FILE" };
  book.replaceFile([entry]);
  expect(termsOf.size).toBe(0);
  book.replaceFile([{ ...entry, secret: { ...secret, hash: "b".repeat(64) }, tenants: ["research"] }]);
  expect(termsOf.get("made:file:gpu")).toEqual({ tenants: ["research"] });
});
