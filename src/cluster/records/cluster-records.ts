import { randomBytes } from "node:crypto";
import * as v from "valibot";
import type { SignOut, SignOutRecords } from "../../auth/sign-outs.ts";
import type { SharedSecret } from "../../auth/token-keys.ts";
import { parseJson } from "../../json/parse.ts";
import type { Restriction, RestrictionKind, RestrictionRecords } from "../../plugin/restrictions.ts";
import type { OwnedId, OwnerRecords } from "../../tunnel/owners.ts";
import { isId } from "../../wire/names.ts";
import type { RecordTable } from "./record-table.ts";

/** The records that one server keeps by itself, under `DATA_DIR`. */
export interface LocalRecords {
  owners(pluginId: string): OwnerRecords;
  restrictions(pluginId: string): RestrictionRecords;
  signOuts(): SignOutRecords;
  readonly secret: SharedSecret;
  areFailing(): boolean;
}

const SECRET = "secret";
/** 256 bits. */
const SECRET_BYTES = 32;

/** Milliseconds since 1970, within what a date can be: the State API shows some of these. */
const MAX_TIME = 8.64e15;
const time = v.pipe(v.number(), v.minValue(0), v.maxValue(MAX_TIME));

/** `at` is the server that has sessions of the id, or had the last one. */
const ownerSchema = v.object({ owner: v.string(), made: v.boolean(), left: v.nullable(time), at: v.string() });
const restrictionSchema = v.object({ name: v.nullable(v.string()), by: v.string(), since: time });
const signOutSchema = v.object({ ends: time });

export interface ClusterRecordsOptions {
  readonly table: RecordTable;
  readonly serverId: string;
  /** The ids of the plugins that have records. */
  readonly plugins: readonly string[];
  /** What this server keeps by itself. */
  readonly local: LocalRecords | undefined;
}

/** One kind of record: how it is written, and where else this server keeps it. */
interface Shelf<T> {
  readonly prefix: string;
  idOf(record: T): string;
  encode(record: T): object;
  /** Undefined for a record that cannot be read, perhaps because another version wrote it. */
  decode(id: string, value: unknown): T | undefined;
  readonly local: { load(): readonly T[]; save(record: T): void; remove(id: string): void } | undefined;
}

/**
 * Creates the records of a cluster: what must survive restarts and be the same on all servers. They are kept in the bucket
 * that the table is attached to. With `DATA_DIR`, a server also keeps a copy. It uses the copy until it has reached NATS, and
 * fills a new bucket from it. MUST be called before the table is attached for the first time.
 */
export function createClusterRecords({ table, serverId, plugins, local }: ClusterRecordsOptions): LocalRecords {
  const owners = new Map(plugins.map((id) => [id, ownerShelf(id, serverId, local?.owners(id))]));
  const restrictions = new Map(plugins.map((id) => [id, restrictionShelf(id, local?.restrictions(id))]));
  const signOuts = signOutShelf(local?.signOuts());
  for (const shelf of owners.values()) seed(table, shelf);
  for (const shelf of restrictions.values()) seed(table, shelf);
  seed(table, signOuts);
  const own = local?.secret.current();
  if (own !== undefined) table.seed(SECRET, own);
  // If two servers create a secret at the same time, the bucket keeps one of them, and both servers use that one.
  table.onReady(() => {
    if (table.get(SECRET) === undefined) table.set(SECRET, randomBytes(SECRET_BYTES).toString("base64url"));
  });
  return {
    owners(pluginId) {
      const shelf = owners.get(pluginId);
      if (!shelf) throw new Error(`no records were opened for ${pluginId}`);
      const { load, ...rest } = recordsOf(table, shelf);
      const leftAt = (owned: OwnedId): number => owned.leftAt ?? Number.POSITIVE_INFINITY;
      return { load: () => load().toSorted((a, b) => leftAt(a) - leftAt(b)), ...rest };
    },
    restrictions(pluginId) {
      const shelf = restrictions.get(pluginId);
      if (!shelf) throw new Error(`no records were opened for ${pluginId}`);
      return toRestrictionRecords(recordsOf(table, shelf));
    },
    signOuts() {
      const { watch, ...rest } = recordsOf(table, signOuts);
      return { ...rest, watch: (onSaved) => watch({ saved: onSaved, removed: () => {} }) };
    },
    secret: { current: () => (table.hasLoaded ? table.settled(SECRET) : undefined) },
    areFailing: () => local?.areFailing() ?? false,
  };
}

function toRestrictionRecords({ load, save, remove, watch }: Kept<Restriction>): RestrictionRecords {
  return {
    load: () => load().toSorted((a, b) => a.since - b.since),
    save,
    remove: (kind, workerId) => remove(`${kind}.${workerId}`),
    watch: (listener) =>
      watch({
        saved: listener.saved,
        removed(id) {
          const { kind, workerId } = splitRestriction(id);
          if (kind !== undefined) listener.removed(kind, workerId);
        },
      }),
  };
}

/** Receives the changes of other servers. */
interface Listener<T> {
  saved(record: T): void;
  removed(id: string): void;
}

/** The records of one shelf, in the cluster and in this server's own copy. */
interface Kept<T> {
  load(): readonly T[];
  save(record: T): void;
  remove(id: string): void;
  watch(listener: Listener<T>): void;
}

function recordsOf<T>(table: RecordTable, shelf: Shelf<T>): Kept<T> {
  const { prefix, local, idOf } = shelf;
  const read = (key: string, value: string): T | undefined => {
    const id = idIn(key, prefix);
    return id === undefined ? undefined : shelf.decode(id, parseJson(value));
  };
  return {
    load() {
      const records = [...table.entries(prefix)].flatMap(([key, value]) => read(key, value) ?? []);
      if (table.hasLoaded) follow(shelf, records);
      return records;
    },
    save(record) {
      local?.save(record);
      table.set(keyOf(prefix, idOf(record)), JSON.stringify(shelf.encode(record)));
    },
    remove(id) {
      local?.remove(id);
      table.set(keyOf(prefix, id), undefined);
    },
    watch(listener) {
      table.onChange(prefix, (key, value) => {
        const id = idIn(key, prefix);
        if (id === undefined) return;
        const record = value === undefined ? undefined : read(key, value);
        if (record !== undefined) {
          local?.save(record);
          listener.saved(record);
        } else if (value === undefined) {
          local?.remove(id);
          listener.removed(id);
        }
      });
    },
  };
}

/** Makes this server's own copy the same as the records of the cluster. */
function follow<T>({ local, idOf, encode }: Shelf<T>, records: readonly T[]): void {
  if (!local) return;
  const textOf = (record: T): string => JSON.stringify(encode(record));
  const kept = new Map(local.load().map((record) => [idOf(record), textOf(record)]));
  for (const record of records) {
    if (kept.get(idOf(record)) !== textOf(record)) local.save(record);
    kept.delete(idOf(record));
  }
  for (const id of kept.keys()) local.remove(id);
}

function seed<T>(table: RecordTable, shelf: Shelf<T>): void {
  for (const record of shelf.local?.load() ?? [])
    table.seed(keyOf(shelf.prefix, shelf.idOf(record)), JSON.stringify(shelf.encode(record)));
}

function ownerShelf(pluginId: string, serverId: string, local: OwnerRecords | undefined): Shelf<OwnedId> {
  return {
    prefix: `owner.${pluginId}.`,
    idOf: ({ id }) => id,
    encode: ({ owner, isMade, leftAt }) => ({ owner, made: isMade, left: leftAt ?? null, at: serverId }),
    decode(id, value) {
      const read = v.safeParse(ownerSchema, value);
      if (!read.success || !isId(id)) return undefined;
      const { owner, made, left, at } = read.output;
      const isElsewhere = left === null && at !== serverId;
      return { id, owner, isMade: made, leftAt: left ?? undefined, ...(isElsewhere && { isElsewhere }) };
    },
    local,
  };
}

/** The id of a restriction is its kind and the worker's id. */
function restrictionShelf(pluginId: string, local: RestrictionRecords | undefined): Shelf<Restriction> {
  return {
    prefix: `restriction.${pluginId}.`,
    idOf: ({ kind, workerId }) => `${kind}.${workerId}`,
    encode: ({ workerName, by, since }) => ({ name: workerName ?? null, by, since }),
    decode(id, value) {
      const { kind, workerId } = splitRestriction(id);
      const read = v.safeParse(restrictionSchema, value);
      if (kind === undefined || !read.success || !isId(workerId)) return undefined;
      const { name, by, since } = read.output;
      return { kind, workerId, workerName: name ?? undefined, by, since };
    },
    local: local && {
      load: local.load,
      save: local.save,
      remove(id) {
        const { kind, workerId } = splitRestriction(id);
        if (kind !== undefined) local.remove(kind, workerId);
      },
    },
  };
}

function splitRestriction(id: string): { readonly kind: RestrictionKind | undefined; readonly workerId: string } {
  const cut = id.indexOf(".");
  const kind = id.slice(0, cut);
  return { kind: kind === "drained" || kind === "blocked" ? kind : undefined, workerId: id.slice(cut + 1) };
}

function signOutShelf(local: SignOutRecords | undefined): Shelf<SignOut> {
  return {
    prefix: "sign-out.",
    idOf: ({ id }) => id,
    encode: ({ endsAt }) => ({ ends: endsAt }),
    decode(id, value) {
      const read = v.safeParse(signOutSchema, value);
      return read.success ? { id, endsAt: read.output.ends } : undefined;
    },
    local,
  };
}

/** Ids contain characters that keys may not. */
function keyOf(prefix: string, id: string): string {
  return prefix + Buffer.from(id).toString("base64url");
}

function idIn(key: string, prefix: string): string | undefined {
  const text = key.slice(prefix.length);
  const id = Buffer.from(text, "base64url").toString();
  return keyOf("", id) === text ? id : undefined;
}
