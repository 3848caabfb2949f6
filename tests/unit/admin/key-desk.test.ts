import { Database } from "bun:sqlite";
import { afterEach, expect, test } from "bun:test";
import { KeyDesk } from "../../../src/admin/key-desk.ts";
import { Fault } from "../../../src/errors.ts";
import { KeyBook } from "../../../src/keys/key-book.ts";
import { KeyWriter } from "../../../src/keys/key-writer.ts";
import { createRecords } from "../../../src/store/records.ts";
import { openStore } from "../../../src/store/store.ts";
import { silentLog } from "../../../src/system/log.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

const BY = { by: "admin-key:1", address: undefined };

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0).reverse()) end();
});

/** A desk over a store on a disk that can be full. */
function rig() {
  const clock = new FakeClock();
  const directory = temporaryDirectory();
  ends.push(() => directory.remove());
  const store = openStore(directory.path, { clock, log: silentLog });
  ends.push(() => store.close());
  const records = createRecords(store);
  const book = new KeyBook({ records: records.keys(), clock, maxRequests: 0 });
  const notes: string[] = [];
  const desk = new KeyDesk({
    book,
    writer: new KeyWriter({ book, clock, isFailing: records.areFailing }),
    isKept: () => true,
    isFailing: records.areFailing,
    audit: { note: ({ what }) => notes.push(what) },
  });
  return {
    book,
    clock,
    desk,
    notes,
    setFull: (isFull: boolean) => store.db.run(`PRAGMA query_only = ${isFull}`),
    written: () => {
      const db = new Database(`${directory.path}/moorage.db`, { readonly: true });
      const rows = db.query<{ entry: string }, []>("SELECT entry FROM key").all();
      db.close();
      return rows.map(({ entry }) => (JSON.parse(entry) as { revokedAt?: number }).revokedAt !== undefined); // an entry
    },
  };
}

async function faultOf(run: Promise<unknown>): Promise<Pick<Fault, "code" | "message" | "retryAfterS">> {
  try {
    await run;
  } catch (error) {
    if (error instanceof Fault) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

test("on a full disk a key is revoked at once, its operator learns that a restart would undo that, and it is written later", async () => {
  const { book, clock, desk, notes, setFull, written } = rig();
  const { entry } = await desk.create({ name: "ci" }, BY);
  setFull(true);
  const fault = await faultOf(desk.revoke(entry.id, BY));
  expect([fault.code, fault.retryAfterS]).toEqual(["keys_unavailable", 10]);
  expect(fault.message).toContain("The change is in effect");
  expect(book.get(entry.id)?.revokedAt).toBeNumber();
  expect(notes).toEqual(["key.create", "key.revoke"]);
  // Sent again, as clients do with this error, it says the same until the disk has it.
  expect((await faultOf(desk.revoke(entry.id, BY))).code).toBe("keys_unavailable");
  expect(written()).toEqual([false]);
  setFull(false);
  clock.advance(10_000);
  expect(written()).toEqual([true]);
  expect((await desk.revoke(entry.id, BY)).revokedAt).toBeNumber();
  expect(notes).toEqual(["key.create", "key.revoke"]);
});

test("on a full disk no secret is made that would be lost", async () => {
  const { book, clock, desk, setFull } = rig();
  const { entry } = await desk.create({ name: "ci" }, BY);
  setFull(true);
  await faultOf(desk.update(entry.id, { weight: 2 }, BY));
  for (const run of [() => desk.create({ name: "late" }, BY), () => desk.rotate(entry.id, { overlap: 0 }, BY)])
    expect((await faultOf(run())).message).toContain("Nothing was changed");
  expect(book.list()).toHaveLength(1);
  expect(book.get(entry.id)).toMatchObject({ weight: 2, secret: entry.secret });
  setFull(false);
  clock.advance(10_000);
  expect((await desk.create({ name: "late" }, BY)).entry.name).toBe("late");
});

test("a key or secret that finds the disk full is taken back, and can be asked for again", async () => {
  const { book, clock, desk, notes, setFull } = rig();
  const { entry, text } = await desk.create({ name: "ci" }, BY);
  const once = { ...BY, idempotencyKey: "once" };
  for (const run of [() => desk.create({ name: "late" }, once), () => desk.rotate(entry.id, { overlap: 0 }, once)]) {
    setFull(true);
    expect((await faultOf(run())).message).toContain("Nothing was changed");
    expect(book.list()).toEqual([entry]);
    expect(book.findByText(text)?.id).toBe(entry.id);
    setFull(false);
    clock.advance(10_000);
  }
  expect(notes).toEqual(["key.create"]);
  for (const made of [await desk.rotate(entry.id, { overlap: 0 }, once), await desk.create({ name: "late" }, once)])
    expect(book.findByText(made.text)).toEqual(made.entry);
});

test("revoking the key of a worker that has joined again also revokes its former keys, and those of nobody else", async () => {
  const { book, desk, notes } = rig();
  const join = (workerId: string, replaces?: string) =>
    book.create(
      {
        kind: "worker",
        terms: { name: workerId, limits: {} },
        bound: { workerId, otherIds: [], trade: crypto.randomUUID(), ...(replaces !== undefined && { replaces }) },
      },
      BY,
    ).entry.id;
  const other = join("other");
  const first = join("gpu");
  const second = join("gpu", first);
  const third = join("gpu", second);
  const stray = join("gpu", other);
  await desk.revoke(third, BY);
  const isRevoked = (id: string): boolean => book.get(id)?.revokedAt !== undefined;
  expect([first, second, third].map(isRevoked)).toEqual([true, true, true]);
  expect(notes).toEqual(["key.revoke", "key.revoke", "key.revoke"]);
  await desk.revoke(stray, BY);
  expect([stray, other].map(isRevoked)).toEqual([true, false]);
});
