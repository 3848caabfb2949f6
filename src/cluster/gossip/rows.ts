import * as v from "valibot";
import type { WorkerAccess } from "../../plugin/cluster.ts";
import { cleanText } from "../../wire/clean-text.ts";
import { countField, kindsField, modelField, textField } from "../../wire/fields.ts";
import { modelInfoSchema } from "../../wire/model-info.ts";
import { isId, MAX_TEXT_CHARS } from "../../wire/names.ts";
import { MAX_STAMP } from "../ids/hybrid-clock.ts";

// The rows of which deltas and snapshots consist. They are lists, because thousands of them are sent. A later version may add
// members at their ends, which are dropped here.

/** The most rows of one kind in one message. */
export const MAX_ROWS = 2000;

const PLUGIN = /^[a-z][a-z0-9_-]{0,31}$/;
const pluginField = v.pipe(v.string(), v.regex(PLUGIN));
const idField = v.pipe(v.string(), v.check(isId));
/** An owner of worker ids: a digest of a key, or a role. */
const ownerField = v.pipe(v.string(), v.maxLength(200));
const stampField = countField(MAX_STAMP);
const numberField = countField(Number.MAX_SAFE_INTEGER);
const sessionField = v.pipe(v.string(), v.minLength(1), v.maxLength(200));
/** The most tenants of one worker's key. */
const MAX_TENANTS = 100;
/** The most groups of one worker: as many as models. */
const MAX_GROUPS = 2048;

/** A worker that is connected to a server. Each of its models belongs to one group. */
export interface WorkerRow {
  readonly plugin: string;
  readonly id: string;
  readonly session: string;
  readonly owner: string;
  readonly since: number;
  readonly at: number;
  readonly was: string | undefined;
  readonly isLeaving: boolean;
  /** The numbers of the groups. */
  readonly groups: readonly number[];
  /** What it lets servers decide about its callers; undefined for a worker that decides that itself, or has none. */
  readonly access?: WorkerAccess | undefined;
}

type AccessMembers = [name: string, restricts: boolean, tenants: string[] | null];
type WorkerMembers = [
  string,
  string,
  string,
  string,
  number,
  number,
  string | null,
  boolean,
  number[],
  (AccessMembers | null)?,
];

// A thousand of these rows arrive from each server that starts, so they are checked by one function.
const workerRow = v.pipe(
  v.custom<WorkerMembers>(isWorkerRow),
  v.transform(([plugin, id, session, owner, since, at, was, isLeaving, groups, access]): WorkerRow => {
    const row = { plugin, id, session, owner, since, at, was: was ?? undefined, isLeaving, groups };
    return access ? { ...row, access: toAccess(access) } : row;
  }),
);

function isWorkerRow(value: unknown): boolean {
  if (!Array.isArray(value)) return false;
  const [plugin, id, session, owner, since, at, was, isLeaving, groups, access] = value;
  if (!isText(plugin, 32) || !PLUGIN.test(plugin) || typeof id !== "string" || !isId(id)) return false;
  if (!isText(session, 200) || session === "" || !isText(owner, 200) || !(was === null || isText(was, 200)))
    return false;
  if (access !== undefined && access !== null && !isAccess(access)) return false;
  if (!isCount(since, MAX_STAMP) || !isCount(at, MAX_STAMP) || typeof isLeaving !== "boolean") return false;
  return Array.isArray(groups) && groups.length <= MAX_GROUPS && groups.every((each) => isCount(each));
}

function isAccess(value: unknown): boolean {
  if (!Array.isArray(value)) return false;
  const [name, restricts, tenants] = value;
  if (!isText(name, MAX_TEXT_CHARS) || typeof restricts !== "boolean") return false;
  if (tenants === null) return true;
  return (
    Array.isArray(tenants) && tenants.length <= MAX_TENANTS && tenants.every((each) => isText(each, MAX_TEXT_CHARS))
  );
}

function toAccess([name, restricts, tenants]: AccessMembers): WorkerAccess {
  return { name: cleanText(name), restricts, tenants: tenants ?? undefined };
}

function isText(value: unknown, most: number): value is string {
  return typeof value === "string" && value.length <= most;
}

function isCount(value: unknown, most = Number.MAX_SAFE_INTEGER): boolean {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 && value <= most;
}

const leftRow = v.pipe(
  v.tuple([pluginField, idField, ownerField, stampField, v.nullable(ownerField), numberField]),
  v.transform(([plugin, id, owner, since, was, ageMs]) => ({ plugin, id, owner, since, was: was ?? undefined, ageMs })),
);

/** The owner of the id of a worker that has left a server, and how long ago it left. */
export type LeftRow = Readonly<v.InferOutput<typeof leftRow>>;

const hostField = v.pipe(
  v.record(v.string(), textField),
  v.check((facts) => Object.keys(facts).length <= 8),
);

/** The only tenants of workers. */
const tenantsField = v.pipe(v.array(textField), v.maxLength(MAX_TENANTS));

const groupRow = v.pipe(
  v.tuple([
    numberField,
    pluginField,
    modelField,
    v.nullable(modelField),
    v.nullable(kindsField),
    hostField,
    v.optional(tenantsField),
  ]),
  v.transform(([number, plugin, model, sentAs, kinds, hostInfo, tenants]) => ({
    number,
    plugin,
    model,
    sentAs: sentAs ?? undefined,
    kinds: kinds ?? undefined,
    hostInfo,
    ...(tenants && { tenants }),
  })),
);

/** Workers of a server for which a request is written in the same way. */
export type GroupRow = Readonly<v.InferOutput<typeof groupRow>>;

/**
 * The load of a group: its number, workers, slots of those that are ready, free slots, jobs that wait for the model, the age
 * of the oldest in milliseconds, the smallest batch (0: not said), and flags.
 */
export type LoadRow = readonly [
  group: number,
  workers: number,
  slots: number,
  free: number,
  waiting: number,
  oldestMs: number,
  batch: number,
  flags: number,
];

/** The members of a load row. A later version may add some. */
const LOAD_MEMBERS = 8;

// Hundreds of these rows arrive each second, so they are checked by one function.
const loadRow = v.pipe(
  v.custom<LoadRow>(isLoadRow),
  v.transform(
    (row): LoadRow =>
      row.length === LOAD_MEMBERS ? row : [row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7]],
  ),
);

function isLoadRow(value: unknown): boolean {
  if (!Array.isArray(value) || value.length < LOAD_MEMBERS) return false;
  for (let at = 0; at < LOAD_MEMBERS; at += 1) if (!isCount(value[at])) return false;
  return true;
}

/** The flags of a load row: a worker has the model in memory; all workers are kept alive by heartbeats. */
export const LOADED = 1;
export const KEPT_ALIVE = 2;

const modelRow = v.pipe(
  v.tuple([pluginField, countField(MAX_STAMP), modelInfoSchema]),
  v.transform(([plugin, firstSeenAt, info]) => ({ plugin, firstSeenAt, info })),
);

/** What the workers of a server say of one model together, and when any server of the cluster first saw it. */
export type ModelRow = Readonly<v.InferOutput<typeof modelRow>>;

function rowsOf<T extends v.GenericSchema>(row: T) {
  return v.optional(v.pipe(v.array(row), v.maxLength(MAX_ROWS)), () => []);
}

/** The rows that both deltas and snapshots have. */
export const rowFields = {
  workers: rowsOf(workerRow),
  groups: rowsOf(groupRow),
  load: rowsOf(loadRow),
  models: rowsOf(modelRow),
  left: rowsOf(leftRow),
};

/** The ends that a delta has: sessions that have closed, and numbers of groups whose last worker has left. */
export const endFields = {
  closed: rowsOf(sessionField),
  ended: rowsOf(numberField),
};

/** What a delta or a snapshot says. */
export interface Rows {
  readonly workers: readonly WorkerRow[];
  readonly groups: readonly GroupRow[];
  readonly load: readonly LoadRow[];
  readonly models: readonly ModelRow[];
  readonly left: readonly LeftRow[];
}

/** What has ended, in a delta. */
export interface Ends {
  readonly closed: readonly string[];
  readonly ended: readonly number[];
}

/** The rows of one message in the form in which they are sent. Kinds without rows are absent. */
export type PackedRows = Readonly<Partial<Record<keyof (Rows & Ends), readonly unknown[]>>>;

/** The most bytes of rows in one message, below what the bus takes. */
const MAX_BYTES = 200 * 1024;

/** Divides rows among messages, in an order in which each message can be taken in by itself. */
export function packRows(rows: Rows & Partial<Ends>): readonly PackedRows[] {
  const packs: Record<string, unknown[]>[] = [];
  let pack: Record<string, unknown[]> | undefined;
  let bytes = 0;
  const add = (kind: keyof (Rows & Ends), row: unknown): void => {
    const length = Buffer.byteLength(JSON.stringify(row)) + 1;
    if (!pack || bytes + length > MAX_BYTES || (pack[kind]?.length ?? 0) >= MAX_ROWS) {
      pack = {};
      packs.push(pack);
      bytes = 0;
    }
    bytes += length;
    const rowsOfKind = pack[kind];
    if (rowsOfKind) rowsOfKind.push(row);
    else pack[kind] = [row];
  };
  // A group is told before the workers and the load that name it.
  for (const row of rows.groups) add("groups", toGroupRow(row));
  for (const row of rows.workers) add("workers", toWorkerRow(row));
  for (const row of rows.load) add("load", row);
  for (const row of rows.models) add("models", toModelRow(row));
  for (const row of rows.left) add("left", toLeftRow(row));
  for (const session of rows.closed ?? []) add("closed", session);
  for (const number of rows.ended ?? []) add("ended", number);
  return packs;
}

function toWorkerRow({ plugin, id, session, owner, since, at, was, isLeaving, groups, access }: WorkerRow): unknown {
  const row = [plugin, id, session, owner, since, at, was ?? null, isLeaving, groups];
  return access ? [...row, [access.name, access.restricts, access.tenants ?? null]] : row;
}

function toLeftRow({ plugin, id, owner, since, was, ageMs }: LeftRow): unknown {
  return [plugin, id, owner, since, was ?? null, ageMs];
}

function toGroupRow({ number, plugin, model, sentAs, kinds, hostInfo, tenants }: GroupRow): unknown {
  const row = [number, plugin, model, sentAs ?? null, kinds ?? null, hostInfo];
  return tenants ? [...row, tenants] : row;
}

function toModelRow({ plugin, firstSeenAt, info }: ModelRow): unknown {
  return [plugin, firstSeenAt, info];
}
