import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { KeyBook } from "../../src/keys/key-book.ts";
import { createRecords } from "../../src/store/records.ts";
import { openStore } from "../../src/store/store.ts";
import { silentLog } from "../../src/system/log.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const BY = { by: "admin-key:1" };

test("no file of DATA_DIR ever holds a made key, or the part of it that is secret", () => {
  const directory = temporaryDirectory();
  const clock = new FakeClock();
  const open = () => openStore(directory.path, { clock, log: silentLog });
  const bookOf = (store: ReturnType<typeof open>): KeyBook =>
    new KeyBook({ records: createRecords(store).keys(), clock, maxRequests: 10 });
  let store = open();
  const book = bookOf(store);
  const texts: string[] = [];
  const assertHidden = (): void => {
    const names = readdirSync(directory.path);
    expect(names.length).toBeGreaterThan(0);
    for (const name of names) {
      const bytes = readFileSync(join(directory.path, name)).toString("latin1");
      for (const text of texts) {
        expect(bytes.includes(text)).toBe(false);
        expect(bytes.includes(text.split("_")[2] ?? text)).toBe(false);
      }
      expect(bytes.includes("name-of-a-request")).toBe(false);
    }
  };
  try {
    for (const kind of ["client", "worker", "admin", "join"] as const) {
      const request = { ...BY, idempotencyKey: "name-of-a-request" };
      const made = book.create({ kind, terms: { name: kind, limits: {} } }, { ...request, by: kind });
      const rotated = book.rotate(made.entry.id, 1000, request);
      texts.push(made.text, rotated.text);
      assertHidden();
      if (kind === "worker") book.revoke(made.entry.id, BY);
      clock.advance(1);
    }
    assertHidden();
    store.close();
    assertHidden();
    store = open();
    // The keys are there all the same: each of the eight texts is recognised.
    const again = bookOf(store);
    expect(texts.map((text) => again.findByText(text)?.kind)).toEqual([
      "client",
      "client",
      "worker",
      "worker",
      "admin",
      "admin",
      "join",
      "join",
    ]);
    expect(again.list()).toEqual(book.list());
  } finally {
    store.close();
    directory.remove();
  }
});
