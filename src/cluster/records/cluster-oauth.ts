import * as v from "valibot";
import { parseJson } from "../../json/parse.ts";
import type { OAuthRow, SharedOAuth, SharedOAuthWrite } from "../../oauth/oauth-records.ts";
import type { RecordReach } from "./cluster-keys.ts";
import type { RecordTable } from "./record-table.ts";

const PREFIX = "oauth.";

/** How often a removal is tried again because another server has changed the record. */
const MAX_TRIES = 20;

/** The rows in one record of the bucket. */
const packSchema = v.record(v.string(), v.object({ value: v.string(), ends: v.nullable(v.number()) }));
type Pack = v.InferOutput<typeof packSchema>;

export interface ClusterOAuthOptions {
  readonly table: RecordTable;
  readonly reach: Pick<RecordReach, "hasRecords">;
  readonly now: () => number;
}

/**
 * Creates the records of the authorization server that the servers of a cluster share, in the bucket that the table is attached to.
 * The rows of one grant, with its tokens, are one record there: NATS remembers for months that a record was removed, and a grant
 * gets a token each hour. MUST be called before the table is attached for the first time.
 */
export function createClusterOAuth({ table, reach, now }: ClusterOAuthOptions): SharedOAuth {
  const told = new Map<string, readonly OAuthRow[]>();
  let listener: (name: string, row: OAuthRow | undefined) => void = () => {};
  /** Rows whose removal the bucket has not confirmed. They do not count here, whatever the bucket has. */
  const unconfirmed = new Set<string>();
  const isRemoved = (name: string): boolean => unconfirmed.has(name) || unconfirmed.has(grantOf(name));
  const packAt = (key: string): Pack => readPack(table.get(key));
  const hear = (key: string, value: string | undefined): void => {
    const rows = rowsOf(readPack(value)).filter(({ name }) => !isRemoved(name));
    for (const { name } of told.get(key) ?? []) if (!rows.some((row) => row.name === name)) listener(name, undefined);
    for (const row of rows) listener(row.name, row);
    if (rows.length === 0) told.delete(key);
    else told.set(key, rows);
  };
  table.onChange(PREFIX, hear);
  table.onReady(() => {
    for (const key of told.keys()) if (table.get(key) === undefined) hear(key, undefined);
    for (const [key, value] of table.entries(PREFIX)) hear(key, value);
  });
  const isOwn = (): boolean => !table.hasLoaded && reach.hasRecords === false;
  const isUnread = (): boolean => !table.hasLoaded && !isOwn();
  /** Removes a row from the bucket. Resolves with whether it is known to be gone. */
  const removeFrom = async (name: string): Promise<boolean> => {
    if (isUnread()) return false;
    const key = keyOf(name);
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      const { [name]: removed, ...others } = packAt(key);
      // Nothing of a grant is left without the grant itself.
      const rest = name.startsWith("grant:") ? {} : others;
      if (table.get(key) === undefined || (!removed && !name.startsWith("grant:"))) return true;
      // What is written is known to have been written. A plain removal gives way to a change of another server.
      const written = isOwn() ? "written" : await table.write(key, JSON.stringify(rest));
      if (written === "away" || written === "unknown") return false;
      if (written === "conflict") continue;
      hear(key, JSON.stringify(rest));
      if (Object.keys(rest).length === 0) table.set(key, undefined);
      return true;
    }
    return false;
  };
  const remove = async (name: string): Promise<boolean> => {
    unconfirmed.add(name);
    const isGone = await removeFrom(name);
    if (isGone) unconfirmed.delete(name);
    return isGone;
  };
  const retry = (): void => {
    for (const name of unconfirmed) void remove(name);
  };
  table.onReady(retry);
  return {
    get isUnread() {
      return isUnread();
    },
    load: () =>
      [...table.entries(PREFIX)].flatMap(([key, value]) => {
        const rows = rowsOf(readPack(value));
        told.set(key, rows);
        return rows;
      }),
    async write(row): Promise<SharedOAuthWrite> {
      if (isOwn()) return "own";
      const key = keyOf(row.name);
      const kept = Object.entries(packAt(key)).filter(
        ([name, { ends }]) => (ends === null || ends > now()) && !isRemoved(name),
      );
      const pack = { ...Object.fromEntries(kept), [row.name]: { value: row.value, ends: row.expiresAt ?? null } };
      const written = await table.write(key, JSON.stringify(pack));
      if (written !== "written") return written === "conflict" ? "conflict" : "away";
      told.set(key, rowsOf(pack));
      unconfirmed.delete(row.name);
      return "written";
    },
    remove,
    retry,
    watch(next) {
      listener = next;
    },
  };
}

/** Returns the key of the record that has a row. Keys may contain letters, digits and `-_=./`, and the library's ids only these. */
function keyOf(name: string): string {
  const [kind = "", first = "", second = ""] = name.split(":");
  const isOfGrant = kind === "grant" || kind === "token" || kind === "used";
  return isOfGrant ? `${PREFIX}grant.${first}.${second}` : `${PREFIX}${kind}.${first}`;
}

/** Returns the name of the row of the grant to which a row belongs. */
function grantOf(name: string): string {
  const [kind, first, second] = name.split(":");
  return kind === "token" || kind === "used" ? `grant:${first}:${second}` : name;
}

/** Reads the rows of a record; none of one that cannot be read. */
function readPack(value: string | undefined): Pack {
  const parsed = value === undefined ? undefined : v.safeParse(packSchema, parseJson(value));
  return parsed?.success ? parsed.output : {};
}

function rowsOf(pack: Pack): readonly OAuthRow[] {
  return Object.entries(pack).map(([name, { value, ends }]) => ({ name, value, expiresAt: ends ?? undefined }));
}
