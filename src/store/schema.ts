import type { Database } from "bun:sqlite";
import { StoreFault } from "./store-fault.ts";

/** Marks the file as a store of Moorage: "MOOR" in ASCII. */
const APPLICATION_ID = 0x4d4f4f52;

/**
 * The steps from an empty file to the current schema. `user_version` of the file counts those that were taken. A step
 * that was released never changes; a new one is added at the end.
 */
const MIGRATIONS: readonly string[] = [
  `CREATE TABLE worker_owner (
    plugin TEXT NOT NULL,
    worker_id TEXT NOT NULL,
    owner TEXT NOT NULL,
    is_made INTEGER NOT NULL,
    left_at INTEGER,
    PRIMARY KEY (plugin, worker_id)
  ) STRICT, WITHOUT ROWID`,
  `CREATE TABLE worker_restriction (
    plugin TEXT NOT NULL,
    kind TEXT NOT NULL,
    worker_id TEXT NOT NULL,
    worker_name TEXT,
    imposed_by TEXT NOT NULL,
    imposed_at INTEGER NOT NULL,
    PRIMARY KEY (plugin, kind, worker_id)
  ) STRICT, WITHOUT ROWID`,
  "CREATE TABLE secret (name TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID",
  "CREATE TABLE sign_out (id TEXT NOT NULL PRIMARY KEY, ends_at INTEGER NOT NULL) STRICT, WITHOUT ROWID",
  `CREATE TABLE usage_minute (
    at INTEGER NOT NULL,
    key TEXT NOT NULL,
    model TEXT NOT NULL,
    end_user TEXT NOT NULL,
    requests INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    input INTEGER NOT NULL,
    cached INTEGER NOT NULL,
    output INTEGER NOT NULL,
    audio_ms INTEGER NOT NULL,
    wait_ms INTEGER NOT NULL,
    held_ms INTEGER NOT NULL,
    estimated INTEGER NOT NULL,
    PRIMARY KEY (at, key, model, end_user)
  ) STRICT, WITHOUT ROWID`,
  `CREATE TABLE usage_hour (
    at INTEGER NOT NULL,
    key TEXT NOT NULL,
    model TEXT NOT NULL,
    end_user TEXT NOT NULL,
    requests INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    input INTEGER NOT NULL,
    cached INTEGER NOT NULL,
    output INTEGER NOT NULL,
    audio_ms INTEGER NOT NULL,
    wait_ms INTEGER NOT NULL,
    held_ms INTEGER NOT NULL,
    estimated INTEGER NOT NULL,
    PRIMARY KEY (at, key, model, end_user)
  ) STRICT, WITHOUT ROWID`,
  `CREATE TABLE usage_day (
    at INTEGER NOT NULL,
    key TEXT NOT NULL,
    model TEXT NOT NULL,
    end_user TEXT NOT NULL,
    requests INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    input INTEGER NOT NULL,
    cached INTEGER NOT NULL,
    output INTEGER NOT NULL,
    audio_ms INTEGER NOT NULL,
    wait_ms INTEGER NOT NULL,
    held_ms INTEGER NOT NULL,
    estimated INTEGER NOT NULL,
    PRIMARY KEY (at, key, model, end_user)
  ) STRICT, WITHOUT ROWID`,
  `CREATE TABLE audit (
    id INTEGER NOT NULL PRIMARY KEY,
    at INTEGER NOT NULL,
    who TEXT NOT NULL,
    address TEXT,
    what TEXT NOT NULL,
    about TEXT,
    detail TEXT NOT NULL
  ) STRICT`,
  "CREATE TABLE failed_job (id INTEGER NOT NULL PRIMARY KEY, job TEXT NOT NULL) STRICT",
  `CREATE TABLE key (
    id TEXT NOT NULL PRIMARY KEY,
    created_at INTEGER NOT NULL,
    entry TEXT NOT NULL,
    last_used_at INTEGER
  ) STRICT, WITHOUT ROWID`,
  "CREATE TABLE tenant (name TEXT NOT NULL PRIMARY KEY, entry TEXT NOT NULL) STRICT, WITHOUT ROWID",
  `CREATE TABLE mcp_call (
    id INTEGER NOT NULL PRIMARY KEY,
    ended_at INTEGER NOT NULL,
    request_id TEXT NOT NULL,
    relay TEXT NOT NULL,
    relay_server TEXT,
    caller TEXT NOT NULL,
    key TEXT,
    client TEXT,
    tenant TEXT NOT NULL,
    relay_caller TEXT,
    address TEXT,
    method TEXT NOT NULL,
    name TEXT,
    outcome TEXT NOT NULL,
    reason TEXT,
    rpc_code REAL,
    status INTEGER,
    duration_ms INTEGER NOT NULL,
    bytes_in INTEGER NOT NULL,
    bytes_out INTEGER NOT NULL,
    arguments TEXT
  ) STRICT`,
  // Refused calls have a limit of their own. This index finds the oldest of them without reading the rest.
  "CREATE INDEX mcp_call_refused ON mcp_call (id) WHERE outcome = 'refused'",
  "CREATE TABLE oauth (id INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL UNIQUE, value TEXT NOT NULL, expires_at INTEGER) STRICT",
];

/** Brings the schema of a file up to date. Throws a `StoreFault` for a file of a newer version, or of another program. */
export function migrate(db: Database, path: string, migrations: readonly string[] = MIGRATIONS): void {
  const version = pragma(db, "user_version");
  const isEmpty = version === 0 && pragma(db, "application_id") === 0 && countTables(db) === 0;
  if (!isEmpty) assertOwn(db, path);
  if (version > migrations.length) {
    throw new StoreFault(
      `${path} was written by a newer version of Moorage (schema ${version}; this one knows ${migrations.length})`,
      "start that version again, or restore a backup from before the update",
    );
  }
  if (version === migrations.length) return;
  db.transaction(() => {
    for (const step of migrations.slice(version)) db.run(step);
    db.run(`PRAGMA application_id = ${APPLICATION_ID}`);
    db.run(`PRAGMA user_version = ${migrations.length}`);
  }).immediate();
}

/** Throws a `StoreFault` for a database that is no store of Moorage. */
export function assertOwn(db: Database, path: string): void {
  if (pragma(db, "application_id") !== APPLICATION_ID)
    throw new StoreFault(`${path} is a database of another program`, "move it away, or choose another DATA_DIR");
}

function pragma(db: Database, name: "user_version" | "application_id"): number {
  const row: unknown = db.query(`PRAGMA ${name}`).values()[0]?.[0];
  return Number(row);
}

function countTables(db: Database): number {
  return Number(db.query("SELECT count(*) FROM sqlite_schema").values()[0]?.[0]);
}
