import { Database } from "bun:sqlite";
import { chmodSync, closeSync, existsSync, openSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { assertOwn } from "./schema.ts";
import { STORE_FILE } from "./store.ts";
import { codeOf, StoreFault, toStoreFault } from "./store-fault.ts";

/** How long a copy waits for another program that locks the file. */
const BUSY_MS = 10_000;
const FILE_MODE = 0o600;

/**
 * Copies the store in a directory to a file that does not exist yet, as it is at one moment, also while a server uses it.
 * Returns the size of the copy in bytes. The secret that seals sign-ins is left out, so nobody can forge a sign-in with the
 * copy; keys are not in the store in the first place. Throws a `StoreFault` that says what to do; no file is left then.
 */
export function backUp(directory: string, file: string): number {
  const source = join(directory, STORE_FILE);
  if (!existsSync(source))
    throw new StoreFault(
      `there is no ${source}`,
      "DATA_DIR or --data-dir must name the directory of the server's store",
    );
  createFile(file);
  try {
    copy(source, file);
    removeSecret(file);
    return statSync(file).size;
  } catch (error) {
    for (const suffix of ["", "-journal", "-wal", "-shm"]) rmSync(file + suffix, { force: true });
    throw error;
  }
}

/** Creates the file for its user alone. SQLite accepts an empty file as the target of a copy. */
function createFile(file: string): void {
  try {
    closeSync(openSync(file, "wx", FILE_MODE));
    chmodSync(file, FILE_MODE);
  } catch (error) {
    if (codeOf(error) === "EEXIST")
      throw new StoreFault(`${file} exists already`, "name a file that does not exist; a backup overwrites nothing");
    throw new StoreFault(
      `${file} cannot be written (${codeOf(error)})`,
      "name a file in a directory that you may write to",
    );
  }
}

function copy(source: string, file: string): void {
  try {
    using db = new Database(source, { readonly: true });
    db.run(`PRAGMA busy_timeout = ${BUSY_MS}`);
    assertOwn(db, source);
    db.run("VACUUM INTO ?", [file]);
  } catch (error) {
    throw toStoreFault(error, source);
  }
}

function removeSecret(file: string): void {
  try {
    using db = new Database(file, { readwrite: true });
    // Its bytes must not remain in a free page.
    db.run("PRAGMA secure_delete = ON");
    db.run("DELETE FROM secret");
    db.run("VACUUM");
    const found: unknown = db.query("PRAGMA integrity_check(1)").values()[0]?.[0];
    if (found !== "ok") throw new StoreFault(`the copy ${file} is damaged`, "try again, on another disk");
  } catch (error) {
    throw toStoreFault(error, file);
  }
}
