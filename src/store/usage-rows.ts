import type { Database, Statement } from "bun:sqlite";
import {
  KEPT_MS,
  type KeySpent,
  periodOf,
  type Step,
  stepsSince,
  type UsageCell,
  type UsageRange,
  type UsageRecords,
  type UsageRow,
  type UsageView,
} from "../usage/usage-records.ts";
import type { Store } from "./store.ts";

const TABLES: Readonly<Record<Step, string>> = { minute: "usage_minute", hour: "usage_hour", day: "usage_day" };
const STEPS = ["minute", "hour", "day"] as const satisfies readonly Step[];
const PAGE_ROWS = 1000;

const AMOUNTS = [
  "requests",
  "failures",
  "input",
  "cached",
  "output",
  "audio_ms",
  "wait_ms",
  "held_ms",
  "estimated",
] as const;

/** The owner and the period of a row, which are its primary key, and then its amounts. */
interface Row {
  readonly at: number;
  readonly key: string;
  readonly model: string;
  readonly end_user: string;
  readonly requests: number;
  readonly failures: number;
  readonly input: number;
  readonly cached: number;
  readonly output: number;
  readonly audio_ms: number;
  readonly wait_ms: number;
  readonly held_ms: number;
  readonly estimated: number;
}

type Values = [number, string, string, string, ...number[]];

/**
 * Creates the records of usage. What one slice of cells adds is in all three tables or in none of them, so sums are equal
 * whichever table they are read from.
 */
export function createUsageRows({ db, writes, openReader }: Store): UsageRecords {
  const upserts = STEPS.map((step) => ({ step, upsert: prepareUpsert(db, TABLES[step]) }));
  const addAll = db.transaction((cells: readonly UsageCell[]) => {
    for (const { step, upsert } of upserts) for (const cell of cells) upsert.run(...toValues(cell, step));
  });
  const prunes = (["minute", "hour"] as const).map((step) => ({ keptMs: KEPT_MS[step], run: preparePrune(db, step) }));
  const spent = db.prepare<KeySpent, [number, number, number, number, number]>(
    `SELECT key, sum(input + output) AS tokens, sum(audio_ms) AS audioMs FROM (
       SELECT key, input, output, audio_ms FROM usage_minute WHERE at >= ? AND at < ?
       UNION ALL SELECT key, input, output, audio_ms FROM usage_hour WHERE at >= ? AND at < ?
       UNION ALL SELECT key, input, output, audio_ms FROM usage_day WHERE at >= ?
     ) GROUP BY key`,
  );
  return {
    add: (cells) => writes.attempt("usage", () => addAll(cells)),
    view: (range) => openView(openReader(), range),
    spentSince(from) {
      const { firstHour, firstDay } = stepsSince(from);
      return spent.all(from, firstHour, firstHour, firstDay, firstDay);
    },
    prune(now, limit) {
      let isMore = false;
      writes.attempt("usage", () => {
        for (const { keptMs, run } of prunes) isMore = run.run(now - keptMs, limit).changes === limit || isMore;
      });
      return isMore;
    },
  };
}

function prepareUpsert(db: Database, table: string): Statement<void, Values> {
  const sums = AMOUNTS.map((amount) => `${amount} = ${amount} + excluded.${amount}`);
  return db.prepare(
    `INSERT INTO ${table} (at, key, model, end_user, ${AMOUNTS.join(", ")})
     VALUES (?, ?, ?, ?, ${AMOUNTS.map(() => "?").join(", ")})
     ON CONFLICT (at, key, model, end_user) DO UPDATE SET ${sums.join(", ")}`,
  );
}

function preparePrune(db: Database, step: Step): Statement<void, [number, number]> {
  const columns = "at, key, model, end_user";
  return db.prepare(
    `DELETE FROM ${TABLES[step]} WHERE (${columns}) IN (SELECT ${columns} FROM ${TABLES[step]} WHERE at < ? LIMIT ?)`,
  );
}

function toValues(cell: UsageCell, step: Step): Values {
  const { key, model, endUser, requests, failures, input, cached, output, audioMs, waitMs, heldMs, estimated } = cell;
  const amounts = [requests, failures, input, cached, output, audioMs, waitMs, heldMs, estimated];
  return [periodOf(cell.at, step), key, model, endUser, ...amounts];
}

/** Opens a view on a connection of its own, whose transaction keeps it as it was. */
function openView(reader: Database, { step, from, to, key }: UsageRange): UsageView {
  const rows = reader.prepare<Row, Record<string, number | string | null>>(
    `SELECT * FROM ${TABLES[step]}
     WHERE (at, key, model, end_user) > ($at, $after_key, $after_model, $after_user) AND at < $to
       AND ($key IS NULL OR key = $key)
     ORDER BY at, key, model, end_user LIMIT ${PAGE_ROWS}`,
  );
  let last: Pick<Row, "at" | "key" | "model" | "end_user"> = { at: from, key: "", model: "", end_user: "" };
  const read = (): readonly Row[] => {
    const page = rows.all({
      at: last.at,
      after_key: last.key,
      after_model: last.model,
      after_user: last.end_user,
      to,
      key: key ?? null,
    });
    last = page.at(-1) ?? last;
    return page;
  };
  // SQLite fixes what the transaction sees at its first read, so that is now.
  reader.run("BEGIN");
  let first: readonly Row[] | undefined = read();
  return {
    next() {
      const page = first ?? read();
      first = undefined;
      return page.map(toUsageRow);
    },
    close: () => reader.close(),
  };
}

function toUsageRow({ end_user, audio_ms, wait_ms, held_ms, ...row }: Row): UsageRow {
  return { ...row, endUser: end_user, audioMs: audio_ms, waitMs: wait_ms, heldMs: held_ms };
}
