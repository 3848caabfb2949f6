import { Fault } from "../errors.ts";
import { type FormerSecret, type KeyEntry, type KeySecret, MAX_FORMER_SECRETS, MAX_TRADES } from "./key-entry.ts";
import type { KeyPatch, KeySpec } from "./key-spec.ts";

/** How long a secret that was replaced stays valid, unless the rotation says otherwise. */
export const DEFAULT_OVERLAP_MS = 24 * 3_600_000;
/** The longest overlap of a rotation: a quarter of a year. */
export const MAX_OVERLAP_MS = 90 * 24 * 3_600_000;

/**
 * Returns the revision of an entry that follows one with this revision. The greatest one is followed by itself: no number of changes
 * leads there, but anyone who may write to what the servers share may write it, and the key must still be revocable.
 */
export function revisionAfter(revision: number): number {
  return Math.min(revision + 1, Number.MAX_SAFE_INTEGER);
}

/** The circumstances of a change. */
export interface Change {
  /** Milliseconds since 1970. */
  readonly now: number;
  /** The name of the caller who makes the change. */
  readonly by: string;
}

/** Returns the entry of a new key. Throws `invalid_request` for one that would have expired already. */
export function newEntry(
  id: string,
  { kind, terms, bound }: KeySpec,
  secret: KeySecret,
  { now, by }: Change,
): KeyEntry {
  if (terms.expiresAt !== undefined && terms.expiresAt <= now)
    throw new Fault("invalid_request", { param: "expires_at", message: "'expires_at' must be in the future." });
  return {
    ...withoutUndefined(terms),
    ...bound,
    id,
    kind,
    source: "made",
    secret,
    former: [],
    revision: 1,
    createdAt: now,
    createdBy: by,
  };
}

/** Returns the entry after a change of its terms; the same entry if the change says nothing new. */
export function patched(entry: KeyEntry, { terms, limits, mcp }: KeyPatch): KeyEntry {
  assertChangeable(entry);
  const ofRelays = withoutUndefined({ ...entry.mcp, ...mcp });
  const next = withoutUndefined({
    ...entry,
    ...terms,
    limits: withoutUndefined({ ...entry.limits, ...limits }),
    mcp: Object.keys(ofRelays).length > 0 ? ofRelays : undefined,
  });
  return Bun.deepEquals(next, entry) ? entry : { ...next, revision: revisionAfter(entry.revision) };
}

/** Returns the entry after its key was revoked; the same entry if that was done before. */
export function revoked(entry: KeyEntry, { now, by }: Change): KeyEntry {
  assertMade(entry);
  if (entry.revokedAt !== undefined) return entry;
  return { ...entry, revision: revisionAfter(entry.revision), revokedAt: now, revokedBy: by };
}

/**
 * Returns the entry with another secret. The current one stays valid for `overlapMs`, and none before it for longer: to
 * rotate a leaked key without an overlap MUST end every secret that was given out. Throws `invalid_request` for an overlap
 * that is too long, and while more earlier secrets are valid than can be remembered.
 */
export function rotated(entry: KeyEntry, secret: KeySecret, overlapMs: number, { now }: Change): KeyEntry {
  assertChangeable(entry);
  if (!(overlapMs >= 0 && overlapMs <= MAX_OVERLAP_MS))
    throw new Fault("invalid_request", { param: "overlap", message: "'overlap' must be at most 90 days." });
  const end = now + overlapMs;
  const earlier = entry.former.map((each) => ({ ...each, validUntil: Math.min(each.validUntil, end) }));
  const former: readonly FormerSecret[] = [{ ...entry.secret, validUntil: end }, ...earlier];
  if (former.slice(MAX_FORMER_SECRETS).some(({ validUntil }) => validUntil > now)) {
    const message = `${MAX_FORMER_SECRETS} former secrets of this key are still valid. Rotate it again when one of them has expired, or create another key.`;
    throw new Fault("invalid_request", { message });
  }
  return { ...entry, revision: revisionAfter(entry.revision), secret, former: former.slice(0, MAX_FORMER_SECRETS) };
}

/** Returns what has become of a key that had the entry `before` and has `next` now. */
export function kindOfChange(
  before: KeyEntry | undefined,
  next: KeyEntry,
): "created" | "revoked" | "changed" | "rotated" {
  if (!before) return "created";
  if (next.revokedAt !== undefined && before.revokedAt === undefined) return "revoked";
  return next.secret.hash === before.secret.hash ? "changed" : "rotated";
}

/** Whether a join token lets no further worker in. A trade that was counted before is not a further one. */
export function isUsedUp({ maxUses, uses = 0, trades }: KeyEntry, trade?: string): boolean {
  if (trade !== undefined && trades?.includes(trade)) return false;
  return maxUses !== undefined && uses >= maxUses;
}

/** Returns the uses of a join token after a trade, which counts once; undefined if no use is left. */
export function usesAfter(token: KeyEntry, trade: string): Pick<KeyEntry, "uses" | "trades"> | undefined {
  const { uses = 0, trades = [] } = token;
  if (trades.includes(trade)) return { uses, trades };
  return isUsedUp(token) ? undefined : { uses: uses + 1, trades: [...trades, trade].slice(-MAX_TRADES) };
}

/**
 * Returns the entry that two servers agree on when one has `own` and hears of `other`: the same one in whatever order they
 * hear of several. The terms of the greater revision count. What can only move forward never moves back, even if what the
 * servers share was lost in between and the revisions since then do not build on each other: a revocation stays, so that no
 * server brings a revoked key back, a secret that was replaced stays replaced, and a use of a join token stays counted.
 */
export function agreed(own: KeyEntry, other: KeyEntry): KeyEntry {
  const current = isAhead(other, own) ? other : own;
  const { secret, former } = replaces(other, own) ? other : own;
  const revocation = firstRevocation(own, other);
  const used = isUsedMore(other, own) ? other : own;
  return {
    ...current,
    secret,
    former,
    ...(revocation && { revokedAt: revocation.revokedAt, revokedBy: revocation.revokedBy }),
    ...(used.uses !== undefined && { uses: used.uses }),
    ...(used.trades && { trades: used.trades }),
  };
}

/** Whether the terms of `a` count, and not those of `b`. */
function isAhead(a: KeyEntry, b: KeyEntry): boolean {
  if (a.revision !== b.revision) return a.revision > b.revision;
  const { secret: _a, former: _b, revokedAt: _c, revokedBy: _d, uses: _e, trades: _k, ...termsOfA } = a;
  const { secret: _f, former: _g, revokedAt: _h, revokedBy: _i, uses: _j, trades: _l, ...termsOfB } = b;
  return sortedText(termsOfA) > sortedText(termsOfB);
}

/** Whether the uses of `a` count, and not those of `b`. */
function isUsedMore(a: KeyEntry, b: KeyEntry): boolean {
  if ((a.uses ?? 0) !== (b.uses ?? 0)) return (a.uses ?? 0) > (b.uses ?? 0);
  return sortedText(a.trades ?? []) > sortedText(b.trades ?? []);
}

/** Whether the secret of `a` has replaced that of `b`. Of two that nobody can order, the later one has. */
function replaces(a: KeyEntry, b: KeyEntry): boolean {
  const [{ secret: ofA }, { secret: ofB }] = [a, b];
  if (ofA.hash === ofB.hash) return sortedText(a.former) > sortedText(b.former);
  if (a.former.some(({ hash }) => hash === ofB.hash)) return true;
  if (b.former.some(({ hash }) => hash === ofA.hash)) return false;
  return ofA.madeAt === ofB.madeAt ? ofA.hash > ofB.hash : ofA.madeAt > ofB.madeAt;
}

function firstRevocation(a: KeyEntry, b: KeyEntry): KeyEntry | undefined {
  const revokedFirst = [a, b]
    .filter(({ revokedAt }) => revokedAt !== undefined)
    .toSorted(
      (x, y) => (x.revokedAt ?? 0) - (y.revokedAt ?? 0) || ((x.revokedBy ?? "") < (y.revokedBy ?? "") ? -1 : 1),
    );
  return revokedFirst[0];
}

/** Returns the same text for values that say the same, whatever the order of their members. */
export function sortedText(value: object): string {
  return JSON.stringify(value, (_key, each: unknown) =>
    typeof each === "object" && each !== null && !Array.isArray(each)
      ? Object.fromEntries(Object.entries(each).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : each,
  );
}

function assertChangeable(entry: KeyEntry): void {
  assertMade(entry);
  if (entry.revokedAt !== undefined)
    throw new Fault("invalid_request", { message: "This key is revoked, which is final. Create another key instead." });
}

function assertMade({ source }: KeyEntry): void {
  if (source === "file") throw new Fault("key_in_file");
}

/** Leaves out members that are undefined, so that two entries with the same meaning are equal. */
function withoutUndefined<T extends object>(value: T): T {
  const kept = Object.entries(value).filter(([, each]) => each !== undefined);
  return Object.fromEntries(kept) as T; // members that may be undefined may be absent
}
