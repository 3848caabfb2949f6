import * as v from "valibot";
import { type KeyTerms, keptTerms } from "./key-terms.ts";

/**
 * What a key is for. A client uses models, a worker serves them, and an admin operates the server. A join token is traded
 * for a worker's key when a worker registers for the first time.
 */
export type KeyKind = "client" | "worker" | "admin" | "join";

/** What a key of each kind is called in errors. "Client key" alone would be one of `CLIENT_KEY`, which is for workers. */
export const KIND_NAMES: Readonly<Record<KeyKind, string>> = {
  client: "a client's key",
  worker: "a worker's key",
  admin: "an admin's key",
  join: "a join token",
};

/** One secret of a key. The key's text cannot be derived from it. */
export interface KeySecret {
  /** SHA-256 of the whole text of the key, in lower-case hex. */
  readonly hash: string;
  /** The beginning of the text, for people: `mk_7f3k…`. */
  readonly hint: string;
  /** Milliseconds since 1970. */
  readonly madeAt: number;
  /** Identifies the request that made the secret, so that the same request does not make another one. */
  readonly operation?: string | undefined;
}

/** A secret that a rotation has replaced. */
export interface FormerSecret extends KeySecret {
  /** When the secret stops being valid, in milliseconds since 1970. */
  readonly validUntil: number;
}

/**
 * Everything that is kept about a key. An entry is never changed in place: each change makes a new entry with the next
 * revision. Its id stays the same over rotations, so that usage and budgets continue.
 */
export interface KeyEntry extends KeyTerms {
  /** 12 digits and lower-case letters, which the text of a made key contains; `file:<name>` for a key of `KEYS_FILE`. */
  readonly id: string;
  readonly kind: KeyKind;
  /** `file`: the key is listed in `KEYS_FILE`, is changed only there, and is not kept anywhere else. */
  readonly source: "made" | "file";
  readonly secret: KeySecret;
  /** Secrets that rotations have replaced, the newest first; at most `MAX_FORMER_SECRETS`. */
  readonly former: readonly FormerSecret[];
  /** Grows with each change. Of two entries with one id, the greater revision is the current one. */
  readonly revision: number;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  /** The name of the caller who made the key: `admin-key:1`, or `cli`. */
  readonly createdBy: string;
  /** Milliseconds since 1970; undefined for a key that is not revoked. A revocation is final. */
  readonly revokedAt?: number | undefined;
  /** The name of the caller who revoked the key. */
  readonly revokedBy?: string | undefined;
  /** Milliseconds since 1970, up to a minute late; undefined for a key that nobody has used. */
  readonly lastUsedAt?: number | undefined;
  /**
   * The worker id that a worker's key is bound to: it may register this id, and the same with a dot and more text behind it.
   * Undefined if it may register any.
   */
  readonly workerId?: string | undefined;
  /** Further ids that a bound key may register: those of the relays that its worker had when it joined. */
  readonly otherIds?: readonly string[] | undefined;
  /** A digest of the trade for which a worker got its key; undefined for a key that an operator made. */
  readonly trade?: string | undefined;
  /** The id of the key that the worker had when it joined again. It is revoked once the worker uses this one. */
  readonly replaces?: string | undefined;
  /** How many workers a join token has let in. */
  readonly uses?: number | undefined;
  /** Digests of the latest trades that count among `uses`, the newest last; at most `MAX_TRADES`. */
  readonly trades?: readonly string[] | undefined;
}

/**
 * Returns when a key was last used, in milliseconds since 1970; undefined for a key that nobody has used. A worker that joins is
 * let in with its key at the moment at which that is made.
 */
export function lastUseOf({ lastUsedAt, trade, createdAt }: KeyEntry): number | undefined {
  return lastUsedAt ?? (trade === undefined ? undefined : createdAt);
}

/** The most secrets of a key that are remembered after rotations. */
export const MAX_FORMER_SECRETS = 4;
/** The most trades of a join token that are remembered. A worker asks again within seconds, or when it is restarted. */
export const MAX_TRADES = 100;

const secretMembers = {
  hash: v.pipe(v.string(), v.regex(/^[\da-f]{64}$/)),
  hint: v.string(),
  madeAt: v.number(),
  operation: v.optional(v.string()),
} satisfies Record<keyof KeySecret, v.GenericSchema>;

/** An entry in JSON, as a store or another server keeps it. Unknown members, of newer versions, are dropped. */
export const keyEntrySchema = v.object({
  ...keptTerms,
  id: v.string(),
  kind: v.picklist(["client", "worker", "admin", "join"]),
  source: v.picklist(["made", "file"]),
  secret: v.object(secretMembers),
  former: v.pipe(v.array(v.object({ ...secretMembers, validUntil: v.number() })), v.maxLength(MAX_FORMER_SECRETS)),
  revision: v.number(),
  createdAt: v.number(),
  createdBy: v.string(),
  revokedAt: v.optional(v.number()),
  revokedBy: v.optional(v.string()),
  lastUsedAt: v.optional(v.number()),
  workerId: v.optional(v.string()),
  otherIds: v.optional(v.array(v.string())),
  trade: v.optional(v.string()),
  replaces: v.optional(v.string()),
  uses: v.optional(v.number()),
  trades: v.optional(v.array(v.string())),
} satisfies Record<keyof KeyEntry, v.GenericSchema>);

/** Returns the entry in a stored value; undefined if the value is not one. */
export function parseKeyEntry(value: unknown): KeyEntry | undefined {
  const read = v.safeParse(keyEntrySchema, value);
  return read.success ? read.output : undefined;
}
