import { Database } from "bun:sqlite";
import { afterEach, expect, test } from "bun:test";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runBackup } from "../../../src/cli/backup.ts";
import { createOwnerRows } from "../../../src/store/owner-rows.ts";
import { createSecretRow } from "../../../src/store/secret-row.ts";
import { openStore } from "../../../src/store/store.ts";
import { createUsageRows } from "../../../src/store/usage-rows.ts";
import { silentLog } from "../../../src/system/log.ts";
import { usageCell } from "../../contract/usage-records.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

const OWNED = { id: "w", owner: "key:0123456789abcdef", isMade: false, leftAt: 5 };
const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0).reverse()) end();
});

function directory(): string {
  const made = temporaryDirectory();
  ends.push(() => made.remove());
  return made.path;
}

const open = (path: string) => openStore(path, { clock: new FakeClock(), log: silentLog });

function run(argv: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const said: string[] = [];
  const readFile = (path: string): string => readFileSync(path, "utf8");
  const say = (text: string): void => void said.push(text);
  return { code: runBackup({ argv, env, readFile }, { out: say, err: say }), text: said.join("") };
}

test("a backup of a store in use has all that was written, and is a store that a server opens", () => {
  const [source, target] = [directory(), directory()];
  const store = open(source);
  createOwnerRows(store, "llm").save(OWNED);
  createUsageRows(store).add([usageCell(0, "k")]);
  const file = join(target, "moorage.db");
  const { code, text } = run([file], { DATA_DIR: source });
  expect({ code, text }).toEqual({ code: 0, text: `Copied ${source} to ${file}: ${statSync(file).size} bytes.\n` });
  createOwnerRows(store, "llm").save({ ...OWNED, id: "later" });
  store.close();

  expect((statSync(file).mode & 0o777).toString(8)).toBe("600");
  const restored = open(target);
  expect(createOwnerRows(restored, "llm").load()).toEqual([OWNED]);
  expect(createUsageRows(restored).spentSince(0)).toEqual([{ key: "k", tokens: 12, audioMs: 0 }]);
  restored.close();
});

test("a backup has no secret, not even in its unused bytes", () => {
  const source = directory();
  const store = open(source);
  const secret = createSecretRow(store).current() ?? "";
  const file = join(directory(), "copy.db");
  expect(run([file, "--data-dir", source]).code).toBe(0);
  store.close();
  expect(readFileSync(join(source, "moorage.db")).includes(secret)).toBe(true);
  expect(readFileSync(file).includes(secret)).toBe(false);
});

test("a backup can be made while no server runs, with the directory from the server's configuration file", () => {
  const [source, target] = [directory(), directory()];
  const store = open(source);
  createOwnerRows(store, "llm").save(OWNED);
  store.close();
  const config = join(target, "moorage.yaml");
  writeFileSync(config, `port: 81\ndata_dir: ${JSON.stringify(source)}\n`);
  expect(run([join(target, "copy.db"), "--config", config]).code).toBe(0);
  const copy = new Database(join(target, "copy.db"), { readonly: true });
  expect(copy.query("SELECT worker_id FROM worker_owner").values()).toEqual([["w"]]);
  copy.close();
});

test("a backup overwrites nothing, and leaves no file if it fails", () => {
  const source = directory();
  open(source).close();
  const file = join(directory(), "copy.db");
  writeFileSync(file, "precious");
  expect(run([file, "--data-dir", source])).toEqual({
    code: 78,
    text: `No backup was made: ${file} exists already.\nWhat to do: name a file that does not exist; a backup overwrites nothing.\n`,
  });
  expect(readFileSync(file, "utf8")).toBe("precious");

  const strange = directory();
  const other = new Database(join(strange, "moorage.db"), { create: true });
  other.run("CREATE TABLE notes (text)");
  other.close();
  writeFileSync(join(directory(), "moorage.db"), "");
  const target = join(directory(), "copy.db");
  expect(run([target, "--data-dir", strange]).text).toContain("is a database of another program");
  expect(run([target, "--data-dir", directory()]).text).toContain("there is no ");
  expect(run([join(target, "copy.db"), "--data-dir", source]).text).toContain("cannot be written (ENOENT)");
  expect(existsSync(target)).toBe(false);
});

test("a backup needs a file and a directory, and explains itself", () => {
  for (const argv of [[], ["--data-dir", "/data"]])
    expect(run(argv)).toMatchObject({ code: 78, text: expect.stringContaining("must be the file to write") });
  expect(run(["copy.db"])).toMatchObject({
    code: 78,
    text: expect.stringContaining("neither --data-dir nor DATA_DIR"),
  });
  expect(run(["copy.db", "--port", "x"])).toMatchObject({ code: 78, text: expect.stringContaining("port") });
  expect(run(["--help"])).toMatchObject({ code: 0, text: expect.stringContaining("Usage: moorage backup <file>") });
});
