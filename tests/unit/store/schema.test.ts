import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { migrate } from "../../../src/store/schema.ts";

const STEPS = ["CREATE TABLE a (x)", "ALTER TABLE a ADD COLUMN y", "INSERT INTO a VALUES (1, 2)"];
const versionOf = (db: Database): unknown => db.query("PRAGMA user_version").values()[0]?.[0];

test("an empty file takes all steps, and an older one those that it lacks", () => {
  const db = new Database(":memory:");
  migrate(db, "f", STEPS.slice(0, 1));
  expect(versionOf(db)).toBe(1);
  migrate(db, "f", STEPS);
  migrate(db, "f", STEPS);
  expect(versionOf(db)).toBe(3);
  expect(db.query("SELECT x, y FROM a").all()).toEqual([{ x: 1, y: 2 }]);
});

test("steps that fail leave the file as it was", () => {
  const db = new Database(":memory:");
  migrate(db, "f", STEPS.slice(0, 1));
  expect(() => migrate(db, "f", [...STEPS.slice(0, 2), "CREATE TABLE a (x)"])).toThrow("already exists");
  expect(versionOf(db)).toBe(1);
  migrate(db, "f", STEPS);
});

test("the steps of this version build its schema", () => {
  const db = new Database(":memory:");
  migrate(db, "f");
  const tables = db.query("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").values().flat();
  expect(tables).toEqual([
    "audit",
    "failed_job",
    "key",
    "mcp_call",
    "oauth",
    "secret",
    "sign_out",
    "tenant",
    "usage_day",
    "usage_hour",
    "usage_minute",
    "worker_owner",
    "worker_restriction",
  ]);
});
