import { afterEach, beforeEach, expect, test } from "bun:test";
import { sha256 } from "../../../src/auth/keys.ts";
import { KeyBook } from "../../../src/keys/key-book.ts";
import { createMemoryRecords } from "../../../src/keys/key-records.ts";
import { KeysFileWatch } from "../../../src/keys/keys-file-watch.ts";
import { TenantBook } from "../../../src/keys/tenant-book.ts";
import { silentLog } from "../../../src/system/log.ts";
import { FakeClock } from "../../support/fake-clock.ts";

/** A file that a test writes. Each version has a stamp of its own. */
let text: string | undefined;
let version = 0;
let clock: FakeClock;
let book: KeyBook;
let tenants: TenantBook;
let watch: KeysFileWatch;

const write = (next: string | undefined): void => {
  text = next;
  version += 1;
};
const listing = (...names: readonly string[]): string =>
  `keys: [${names.map((name) => `{ name: ${name.slice(0, 8)}, key: "sha256:${sha256(name)}" }`).join(",")}]`;
const isLetIn = (name: string): boolean => book.sources.api.find(sha256(name)) !== undefined;

/** Lets half a second pass, and the look at the file end. */
async function look(): Promise<void> {
  clock.advance(500);
  await Promise.resolve();
  await Promise.resolve();
}

beforeEach(() => {
  clock = new FakeClock();
  book = new KeyBook({ records: createMemoryRecords(), clock, maxRequests: 0 });
  const read = (): string => {
    if (text !== undefined) return text;
    throw Object.assign(new Error("no such file"), { code: "ENOENT" });
  };
  const secrets = { env: {}, readFile: read };
  const stamp = async () => (text === undefined ? undefined : String(version));
  tenants = new TenantBook({ records: undefined, clock });
  const source = { path: "keys.yaml", read, stamp, secrets };
  watch = new KeysFileWatch({ source, book, tenants, clock, log: silentLog });
});
afterEach(() => watch.stop());

test("the limits of tenants follow the file", async () => {
  const told: unknown[] = [];
  tenants.onChange((name, limits) => told.push([name, limits]));
  write(`${listing("a")}\ntenants: { research: { parallel: 8 } }`);
  expect(await watch.start()).toEqual([]);
  write(`${listing("a")}\ntenants: { research: { parallel: 0 } }`);
  expect(watch.reload()).toHaveLength(1);
  expect(tenants.get("research")?.limits).toEqual({ parallel: 8 });
  write(listing("a"));
  watch.reload();
  expect(tenants.list()).toEqual([]);
  expect(told).toEqual([
    ["research", { parallel: 8 }],
    ["research", {}],
  ]);
});

test("a changed file counts once it has rested for half a second", async () => {
  write(listing("a"));
  expect(await watch.start()).toEqual([]);
  expect(isLetIn("a")).toBe(true);
  write(listing("b"));
  await look();
  // The file may still be written: the first half of a list is a valid list as well.
  expect([isLetIn("a"), isLetIn("b")]).toEqual([true, false]);
  await look();
  expect([isLetIn("a"), isLetIn("b")]).toEqual([false, true]);
});

test("a file with a secret of a made key is refused, so that it brings back none that was revoked", async () => {
  write(listing("a"));
  await watch.start();
  const by = { by: "admin-key:1" };
  const made = book.create({ kind: "client", terms: { name: "ci", limits: {} } }, by);
  const { text: next } = book.rotate(made.entry.id, 1000, by);
  book.revoke(made.entry.id, by);
  for (const secret of [made.text, next]) {
    write(listing("a", secret));
    await look();
    await look();
    expect(watch.problem).toContain(`a secret of the made key ${made.entry.id}`);
    expect([isLetIn("a"), isLetIn(secret)]).toEqual([true, false]);
  }
});

test("a file that changes all the time is read when it rests", async () => {
  write(listing("a"));
  await watch.start();
  for (let count = 0; count < 10; count += 1) {
    write(listing("b"));
    await look();
  }
  expect(isLetIn("a")).toBe(true);
  await look();
  expect(isLetIn("b")).toBe(true);
});

test("a file with mistakes, or none at all, changes nothing and is a problem until it is right again", async () => {
  write(listing("a"));
  await watch.start();
  for (const broken of ["keys: [", "keys: [{ name: b }]", undefined]) {
    write(broken);
    await look();
    await look();
    expect(isLetIn("a")).toBe(true);
    expect(watch.problem).toBeDefined();
  }
  expect(watch.problem).toBe("keys.yaml: the file cannot be read (ENOENT)");
  write(listing("a", "b"));
  await look();
  await look();
  expect([isLetIn("a"), isLetIn("b"), watch.problem]).toEqual([true, true, undefined]);
});

test("a file that is wrong at the start is reported to the operator who starts the server", async () => {
  write("keys: 1");
  expect(await watch.start()).toEqual(["the file must have a list 'keys' at the top level"]);
});

test("a reload reads the file at once", async () => {
  write(listing("a"));
  await watch.start();
  write(listing("b"));
  expect(watch.reload()).toEqual([]);
  expect(isLetIn("b")).toBe(true);
});

test("a file that has not changed is not read again", async () => {
  write(listing("a"));
  await watch.start();
  const events: string[] = [];
  book.onChange(({ kind }) => events.push(kind));
  for (let count = 0; count < 5; count += 1) await look();
  expect(events).toEqual([]);
});
