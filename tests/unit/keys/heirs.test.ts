import { expect, test } from "bun:test";
import { heirOf } from "../../../src/keys/heirs.ts";
import { KeyBook } from "../../../src/keys/key-book.ts";
import { createMemoryRecords } from "../../../src/keys/key-records.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const BY = { by: "admin-key:1" };

test("the heir of a worker's key is the last key that has replaced it, whichever of them are valid", () => {
  const book = new KeyBook({ records: createMemoryRecords(), clock: new FakeClock(), maxRequests: 1 });
  const create = (replaces?: string): string =>
    book.create(
      {
        kind: "worker",
        terms: { name: "gpu", limits: {} },
        bound: { workerId: "gpu", trade: crypto.randomUUID(), ...(replaces !== undefined && { replaces }) },
      },
      BY,
    ).entry.id;
  const first = create();
  const second = create(first);
  const third = create(second);
  const heir = (id: string): string => heirOf(book, `made:${id}`);
  expect(heir(first)).toBe(`made:${first}`);
  book.revoke(first, { by: `key:${second}` });
  expect(heir(first)).toBe(`made:${second}`);
  book.revoke(second, { by: `key:${third}` });
  book.revoke(third, BY);
  expect([first, second, third].map(heir)).toEqual(Array(3).fill(`made:${third}`));
});

test("a key that an operator has revoked has no heir, and neither has an owner that is no created key", () => {
  const book = new KeyBook({ records: createMemoryRecords(), clock: new FakeClock(), maxRequests: 1 });
  const create = () => book.create({ kind: "worker", terms: { name: "gpu", limits: {} } }, BY).entry.id;
  const [revoked, ended, other] = [create(), create(), create()];
  book.revoke(revoked, BY);
  book.revoke(ended, { by: `key:${other}` });
  for (const owner of [`made:${revoked}`, `made:${ended}`, "made:unknown", "client-key:1", ""])
    expect(heirOf(book, owner)).toBe(owner);
});
