import type { Database } from "bun:sqlite";
import { type CallFilter, type CallRecords, type CallWindow, lowered, WINDOW_CALLS } from "../calls/call-records.ts";
import { type PastCall, parsePastCall } from "../calls/past-call.ts";
import type { Store } from "./store.ts";

const COLUMNS = [
  "id",
  "ended_at",
  "request_id",
  "relay",
  "relay_server",
  "caller",
  "key",
  "client",
  "tenant",
  "relay_caller",
  "address",
  "method",
  "name",
  "outcome",
  "reason",
  "rpc_code",
  "status",
  "duration_ms",
  "bytes_in",
  "bytes_out",
  "arguments",
] as const;

/** The texts in which words are looked for, as in `isMeant`. */
const SEARCHED = [
  "relay",
  "caller",
  "key",
  "client",
  "relay_caller",
  "address",
  "method",
  "name",
  "outcome",
  "reason",
  "request_id",
].map((column) => `ifnull(${column}, '')`);

type Value = string | number | null;
type Row = Readonly<Record<(typeof COLUMNS)[number], Value>>;

/** Creates the records of calls of MCP servers, of which `CallTrail` states the bounds. */
export function createCallRows({ db, writes }: Store): CallRecords {
  const last = db.prepare<{ readonly id: number | null }, []>("SELECT max(id) AS id FROM mcp_call");
  const save = db.prepare<void, Value[]>(
    `INSERT INTO mcp_call (${COLUMNS.join(", ")}) VALUES (${COLUMNS.map(() => "?").join(", ")})`,
  );
  const edge = db.prepare<{ readonly id: number; readonly ended_at: number }, [number]>(
    `SELECT id, ended_at FROM mcp_call WHERE id < ? ORDER BY id DESC LIMIT 1 OFFSET ${WINDOW_CALLS - 1}`,
  );
  const addAll = db.transaction((calls: readonly PastCall[]) => {
    for (const call of calls) save.run(...toValues(call));
  });
  const rows = new CallCounts(db);
  return {
    lastId: () => last.get()?.id ?? 0,
    add(calls) {
      const isAdded = writes.attempt("calls", () => {
        rows.load();
        addAll(calls);
      });
      if (isAdded) for (const { outcome } of calls) rows.count(outcome, 1);
      return isAdded;
    },
    look(filter, before, limit): CallWindow {
      const found = edge.get(before);
      const { where, values } = conditionsOf(filter);
      const sql = `SELECT ${COLUMNS.join(", ")} FROM mcp_call WHERE id < $before AND id >= $edge${where} ORDER BY id DESC LIMIT $limit`;
      // Not kept prepared: each set of conditions is a statement of its own.
      const statement = db.prepare<Row, Record<string, Value>>(sql);
      const matching = statement.all({ ...values, before, edge: found?.id ?? 0, limit });
      statement.finalize();
      const oldest = found ? { id: found.id, endedAt: found.ended_at } : undefined;
      return { calls: matching.flatMap((row) => toPastCall(row) ?? []), oldest };
    },
    prune({ calls, refused, since }, limit) {
      let isMore = false;
      writes.attempt("calls", () => {
        rows.load();
        isMore = rows.removeFirst("calls", rows.calls - calls, limit);
        isMore = rows.removeFirst("refused", rows.refused - refused, limit) || isMore;
        isMore = rows.removeBefore(since, limit) || isMore;
      });
      return isMore;
    },
  };
}

/** The number of kept calls, and their removal. */
class CallCounts {
  calls = 0;
  refused = 0;
  #isLoaded = false;
  readonly #db: Database;
  /** No call with a lower id is left, except some that were refused. */
  #firstId = 0;
  readonly #remove: Readonly<Record<"calls" | "refused", (limit: number) => readonly Removed[]>>;
  readonly #removeBefore: (since: number, limit: number) => readonly Removed[];

  constructor(db: Database) {
    this.#db = db;
    const removeCalls = db.prepare<Removed, [number, number]>(
      `DELETE FROM mcp_call WHERE id IN (SELECT id FROM mcp_call WHERE id >= ? AND outcome <> 'refused' ORDER BY id LIMIT ?)
       RETURNING id, outcome`,
    );
    const removeRefused = db.prepare<Removed, [number]>(
      `DELETE FROM mcp_call WHERE id IN (SELECT id FROM mcp_call WHERE outcome = 'refused' ORDER BY id LIMIT ?)
       RETURNING id, outcome`,
    );
    this.#remove = {
      calls: (limit) => removeCalls.all(this.#firstId, limit),
      refused: (limit) => removeRefused.all(limit),
    };
    const removeOld = db.prepare<Removed, [number, number]>(
      `DELETE FROM mcp_call WHERE id IN
         (SELECT id FROM (SELECT id, ended_at FROM mcp_call ORDER BY id LIMIT ?) WHERE ended_at < ?)
       RETURNING id, outcome`,
    );
    this.#removeBefore = (since, limit) => removeOld.all(limit, since);
  }

  /** Counts the calls that an earlier run has left. MUST be called before anything changes; commands that only read need no counts. */
  load(): void {
    if (this.#isLoaded) return;
    const countOf = (where: string): number =>
      this.#db.query<{ readonly n: number }, []>(`SELECT count(*) AS n FROM mcp_call${where}`).get()?.n ?? 0;
    this.refused = countOf(" WHERE outcome = 'refused'");
    this.calls = countOf("") - this.refused;
    this.#isLoaded = true;
  }

  count(outcome: string, by: 1 | -1): void {
    if (outcome === "refused") this.refused += by;
    else this.calls += by;
  }

  /** Removes the oldest calls of a kind: `most` of them, or `limit` if that is less. Returns whether more are left to remove. */
  removeFirst(kind: "calls" | "refused", most: number, limit: number): boolean {
    if (most <= 0) return false;
    const removed = this.#remove[kind](Math.min(most, limit));
    if (kind === "calls") for (const { id } of removed) this.#firstId = Math.max(this.#firstId, id);
    return this.#removed(removed) > 0 && most > limit;
  }

  removeBefore(since: number, limit: number): boolean {
    return this.#removed(this.#removeBefore(since, limit)) === limit;
  }

  #removed(removed: readonly Removed[]): number {
    for (const { outcome } of removed) this.count(outcome, -1);
    return removed.length;
  }
}

interface Removed {
  readonly id: number;
  readonly outcome: string;
}

function toValues(call: PastCall): Value[] {
  return [
    call.id,
    call.endedAt,
    call.requestId,
    call.relay,
    call.relayServer ?? null,
    call.caller,
    call.key ?? null,
    call.client ?? null,
    call.tenant,
    call.relayCaller ?? null,
    call.address ?? null,
    call.method,
    call.name ?? null,
    call.outcome,
    call.reason ?? null,
    call.rpcCode ?? null,
    call.status ?? null,
    call.durationMs,
    call.bytesIn,
    call.bytesOut,
    call.arguments ?? null,
  ];
}

/** Returns a row as a call; undefined for one of a newer version that this one cannot read. */
function toPastCall(row: Row): PastCall | undefined {
  const optional = (value: Value): Value | undefined => value ?? undefined;
  return parsePastCall({
    id: row.id,
    endedAt: row.ended_at,
    requestId: row.request_id,
    relay: row.relay,
    relayServer: optional(row.relay_server),
    caller: row.caller,
    key: optional(row.key),
    client: optional(row.client),
    tenant: row.tenant,
    relayCaller: optional(row.relay_caller),
    address: optional(row.address),
    method: row.method,
    name: optional(row.name),
    outcome: row.outcome,
    reason: optional(row.reason),
    rpcCode: optional(row.rpc_code),
    status: optional(row.status),
    durationMs: row.duration_ms,
    bytesIn: row.bytes_in,
    bytesOut: row.bytes_out,
    arguments: optional(row.arguments),
  });
}

/** Returns the conditions of a filter, and their values by the names in them. */
function conditionsOf(filter: CallFilter): { readonly where: string; readonly values: Record<string, Value> } {
  const values: Record<string, Value> = {};
  const parts: string[] = [];
  const add = (name: string, value: Value | undefined, condition: string): void => {
    if (value === undefined) return;
    values[name] = value;
    parts.push(condition);
  };
  const { name } = filter;
  add("relay", filter.relay, "relay = $relay");
  add("caller", filter.caller, "$caller IN (caller, ifnull(key, ''), ifnull(relay_caller, ''))");
  add("tenant", filter.tenant, "tenant = $tenant");
  if (name?.endsWith("*")) add("name", name.slice(0, -1), "substr(name, 1, length($name)) = $name");
  else add("name", name, "name = $name");
  add("method", filter.method, "method = $method");
  add("outcome", filter.outcome, "outcome = $outcome");
  add("since", filter.since, "ended_at >= $since");
  add("until", filter.until, "ended_at < $until");
  for (const [at, word] of (filter.words ?? []).entries())
    add(`word${at}`, lowered(word), `instr(lower(${SEARCHED.join(" || char(10) || ")}), $word${at}) > 0`);
  return { where: parts.map((part) => ` AND ${part}`).join(""), values };
}
