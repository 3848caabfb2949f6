import { Database } from "bun:sqlite";
import { afterEach, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { lockDirectory } from "../../../src/store/lock.ts";
import { createOwnerRows } from "../../../src/store/owner-rows.ts";
import { createRestrictionRows } from "../../../src/store/restriction-rows.ts";
import { createSecretRow } from "../../../src/store/secret-row.ts";
import { createSignOutRows } from "../../../src/store/sign-out-rows.ts";
import { openStore, type Store } from "../../../src/store/store.ts";
import { StoreFault, StoreInUse } from "../../../src/store/store-fault.ts";
import { createUsageRows } from "../../../src/store/usage-rows.ts";
import { silentLog } from "../../../src/system/log.ts";
import { usageCell } from "../../contract/usage-records.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { inboxLog } from "../../support/inbox-log.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

const deps = { clock: new FakeClock(), log: silentLog };
const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0).reverse()) end();
});

function directory(): string {
  const made = temporaryDirectory();
  ends.push(() => made.remove());
  return made.path;
}

function open(path: string): Store {
  const store = openStore(path, deps);
  ends.push(() => store.close());
  return store;
}

function faultOf(path: string): StoreFault {
  try {
    open(path);
  } catch (error) {
    if (error instanceof StoreFault) return error;
    throw error;
  }
  throw new Error("the store was opened");
}

const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8);

test("a store makes its directory and its files, for the server's user alone", () => {
  const path = join(directory(), "deep", "data");
  const before = process.umask(0);
  ends.push(() => process.umask(before));
  const store = open(path);
  createOwnerRows(store, "llm").save({ id: "w", owner: "A", isMade: false, leftAt: undefined });
  expect(modeOf(path)).toBe("700");
  const files = readdirSync(path);
  expect(files).toContain("moorage.db-wal");
  expect(files.filter((file) => modeOf(join(path, file)) !== "600")).toEqual([]);
});

test("a running server does not stand still for a program that writes to its file, and says what to do", async () => {
  const path = directory();
  const { log, lines } = inboxLog();
  const clock = new FakeClock();
  const store = openStore(path, { clock, log });
  ends.push(() => store.close());
  // Nothing but the wait itself would make a time that is measured here long.
  expect(Number(store.db.query("PRAGMA busy_timeout").values()[0]?.[0])).toBeLessThanOrEqual(10);
  const other = new Database(join(path, "moorage.db"));
  other.run("BEGIN IMMEDIATE");
  const owners = createOwnerRows(store, "llm");
  owners.save({ id: "w", owner: "A", isMade: false, leftAt: undefined });
  expect(await lines.take("the failure")).toMatchObject({
    event: "store.write_failed",
    reason: "SQLITE_BUSY",
    hint: expect.stringContaining("end the other program"),
  });
  other.run("ROLLBACK");
  other.close();
  clock.advance(10_000);
  expect(owners.load()).toMatchObject([{ id: "w", owner: "A" }]);
});

test("a directory that exists keeps its mode, and one that everybody may write to is warned about", async () => {
  const path = directory();
  chmodSync(path, 0o755);
  open(path).close();
  expect(modeOf(path)).toBe("755");
  chmodSync(path, 0o777);
  const { log, lines } = inboxLog();
  openStore(path, { ...deps, log }).close();
  expect(await lines.take("a warning")).toMatchObject({ event: "store.directory_writable" });
});

test("what was written is there when the store is opened again", () => {
  const path = directory();
  const first = open(path);
  const rows = createOwnerRows(first, "llm");
  rows.save({ id: "a", owner: "A", isMade: false, leftAt: 5 });
  rows.save({ id: "b", owner: "A", isMade: true, leftAt: undefined });
  rows.save({ id: "c", owner: "A", isMade: true, leftAt: 3 });
  rows.save({ id: "b", owner: "B", isMade: true, leftAt: undefined });
  rows.save({ id: "d", owner: "A", isMade: true, leftAt: undefined });
  rows.remove("d");
  createOwnerRows(first, "asr").save({ id: "a", owner: "C", isMade: false, leftAt: 1 });
  first.close();
  const second = open(path);
  expect(createOwnerRows(second, "llm").load()).toEqual([
    { id: "c", owner: "A", isMade: true, leftAt: 3 },
    { id: "a", owner: "A", isMade: false, leftAt: 5 },
    { id: "b", owner: "B", isMade: true, leftAt: undefined },
  ]);
  expect(createOwnerRows(second, "asr").load()).toHaveLength(1);
});

test("restrictions are there when the store is opened again, apart from those that were lifted", () => {
  const path = directory();
  const first = open(path);
  const rows = createRestrictionRows(first, "llm");
  const blocked = { kind: "blocked", workerId: "w", workerName: "Attic", by: "admin-key:1", since: 7 } as const;
  const drained = { kind: "drained", workerId: "w", workerName: undefined, by: "sign-in", since: 5 } as const;
  for (const each of [blocked, drained, { ...drained, workerId: "v" }]) rows.save(each);
  rows.remove("drained", "v");
  createRestrictionRows(first, "asr").save(blocked);
  first.close();
  const second = open(path);
  expect(createRestrictionRows(second, "llm").load()).toEqual([drained, blocked]);
  expect(createRestrictionRows(second, "asr").load()).toEqual([blocked]);
});

test("the secret for tokens is made once, and is another one in another store", () => {
  const path = directory();
  const first = open(path);
  const secret = createSecretRow(first).current();
  expect(secret).toMatch(/^[\w-]{43}$/);
  expect(createSecretRow(first).current()).toBe(secret);
  first.close();
  expect(createSecretRow(open(path)).current()).toBe(secret);
  expect(createSecretRow(open(directory())).current()).not.toBe(secret);
});

test("sign-outs are there when the store is opened again, apart from those that were removed", () => {
  const path = directory();
  const first = open(path);
  const rows = createSignOutRows(first);
  for (const id of ["a", "b"]) rows.save({ id, endsAt: 7 });
  rows.remove("b");
  first.close();
  expect(createSignOutRows(open(path)).load()).toEqual([{ id: "a", endsAt: 7 }]);
});

test("a large store opens although its usage is damaged, and not if anything else is", () => {
  const path = directory();
  const store = open(path);
  const rows = createOwnerRows(store, "llm");
  for (let id = 0; id < 2000; id += 1)
    rows.save({ id: `w${id}`, owner: "the-owner-of-a-row", isMade: false, leftAt: id });
  const usage = createUsageRows(store);
  const model = "a-model-of-a-row".repeat(128);
  for (let minute = 0; minute < 18; minute += 1)
    usage.add(Array.from({ length: 1000 }, (_, key) => usageCell(minute * 60_000, `k${key}`, { model })));
  store.close();
  const file = join(path, "moorage.db");
  const sound = readFileSync(file);
  expect(sound.length).toBeGreaterThan(32 * 1024 * 1024);
  const damage = (text: string): void => {
    const bytes = Buffer.from(sound);
    const at = bytes.indexOf(text, bytes.length / 2);
    const page = (at < 0 ? bytes.indexOf(text) : at) & ~4095;
    bytes.fill(0xff, page, page + 4096);
    writeFileSync(file, bytes);
  };
  damage("a-model-of-a-row");
  open(path).close();
  damage("the-owner-of-a-row");
  expect(faultOf(path).message).toContain("is damaged");
}, 30_000);

test.each(["normal", "full"] as const)("writes wait for the disk as STORE_SYNC=%s says", (sync) => {
  const store = openStore(directory(), deps, sync);
  ends.push(() => store.close());
  expect(store.db.query("PRAGMA synchronous").values()).toEqual([[sync === "full" ? 2 : 1]]);
});

test("another program can read the database while the server has it, for a backup", () => {
  const path = directory();
  createOwnerRows(open(path), "llm").save({ id: "a", owner: "A", isMade: false, leftAt: 5 });
  const backup = new Database(join(path, "moorage.db"), { readonly: true });
  expect(backup.query("SELECT count(*) AS n FROM worker_owner").get()).toEqual({ n: 1 });
  backup.close();
});

test("a command that has the store is waited for, and after a while said to have it", async () => {
  const path = directory();
  const script = `import { openStore } from "./src/store/store.ts";
const store = openStore(process.argv[1], JSON.parse("{}"), "full", "command");
console.log("open");
await Bun.sleep(Number(process.argv[2]));
store.close();`;
  const start = async (ms: number) => {
    const command = [process.execPath, "-e", script, path, String(ms)];
    const run = Bun.spawn(command, { cwd: join(import.meta.dir, "../../.."), stdout: "pipe" });
    ends.push(() => run.kill());
    for await (const _ of run.stdout) break;
    return run;
  };
  await start(300);
  const store = openStore(path, deps, "full", "command");
  store.close();
  const { pid } = await start(60_000);
  const lock = (): unknown => lockDirectory(path, () => {}, "server", 200);
  expect(lock).toThrow(`a command (process ${pid}) has used ${path} for`);
  expect(lock).not.toThrow(StoreInUse);
}, 30_000);

describe("a store cannot be opened", () => {
  test("while another server has it, whose process is named", () => {
    const path = directory();
    const first = open(path);
    const fault = faultOf(path);
    expect(fault.message).toBe(`${path} is in use by another server (process ${process.pid})`);
    expect(fault.hint).toContain("stop that server first");
    expect(fault.exitCode).toBe(75);
    first.close();
    open(path);
  });

  test("if its file is no database, or a damaged one", () => {
    const path = directory();
    writeFileSync(join(path, "moorage.db"), "no database at all ".repeat(500));
    expect(faultOf(path)).toMatchObject({ message: expect.stringContaining("is damaged"), exitCode: 78 });

    const other = directory();
    const store = open(other);
    const rows = createOwnerRows(store, "llm");
    for (let id = 0; id < 2000; id += 1) rows.save({ id: `w${id}`, owner: "A", isMade: false, leftAt: id });
    store.close();
    const file = join(other, "moorage.db");
    const bytes = readFileSync(file);
    bytes.fill(0xff, bytes.length / 2, bytes.length / 2 + 5000);
    writeFileSync(file, bytes);
    const fault = faultOf(other);
    expect(fault.message).toContain("is damaged");
    expect(fault.hint).toContain("restore it from a backup");
  });

  test("if a newer version wrote it, or another program", () => {
    const path = directory();
    open(path).close();
    const db = new Database(join(path, "moorage.db"));
    db.run("PRAGMA user_version = 99");
    db.close();
    const fault = faultOf(path);
    expect(fault.message).toMatch(/written by a newer version of Moorage \(schema 99; this one knows \d+\)/);
    expect(fault.hint).toContain("start that version again");

    const other = directory();
    const stranger = new Database(join(other, "moorage.db"), { create: true });
    stranger.run("CREATE TABLE notes (text)");
    stranger.close();
    expect(faultOf(other).message).toContain("a database of another program");
  });

  test("where the path is a file, or a directory stands in a file's place", () => {
    const path = join(directory(), "file");
    writeFileSync(path, "");
    expect(faultOf(path)).toMatchObject({
      message: expect.stringContaining("cannot be read and written"),
      exitCode: 78,
    });
    const other = directory();
    mkdirSync(join(other, "moorage.db"));
    expect(faultOf(other).hint).toContain("belongs to the server's user");
  });
});
