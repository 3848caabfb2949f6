import * as v from "valibot";
import { isRecord, parseJson } from "../json/parse.ts";
import { isId } from "../wire/names.ts";
import { areTermsInBounds } from "./kept-bounds.ts";
import { type KeyEntry, keyEntrySchema, MAX_FORMER_SECRETS, MAX_TRADES, parseKeyEntry } from "./key-entry.ts";
import { keptTerms } from "./key-terms.ts";
import { callerField as caller, timeField as time } from "./shared-fields.ts";
import type { Revocation } from "./shared-keys.ts";

// An entry as the servers of a cluster share it. Anyone who may write to that place may write anything, so what is read there
// is checked against bounds, which also hold what earlier versions have written.

/** The longest text with members that this version does not know. A record has 128 KiB, and a revocation must always fit. */
const MAX_TEXT_CHARS = 64 * 1024;
/** More than a worker's registration may name. */
const MAX_OTHER_IDS = 1000;

const count = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(Number.MAX_SAFE_INTEGER));
const keyId = v.pipe(v.string(), v.regex(/^[\da-z]{12}$/));
const digest = v.pipe(v.string(), v.regex(/^[\da-f]{64}$/));
const secretMembers = {
  hash: digest,
  hint: v.pipe(v.string(), v.regex(/^m[kj]_[\da-z]{4}…$/)),
  madeAt: time,
  operation: v.optional(digest),
};

/** The members of an entry beside its terms. */
const boundsSchema = v.object({
  id: keyId,
  source: v.literal("made"),
  secret: v.object(secretMembers),
  former: v.pipe(v.array(v.object({ ...secretMembers, validUntil: time })), v.maxLength(MAX_FORMER_SECRETS)),
  revision: v.pipe(count, v.minValue(1)),
  createdAt: time,
  createdBy: caller,
  revokedAt: v.optional(time),
  revokedBy: v.optional(caller),
  workerId: v.optional(v.pipe(v.string(), v.check(isId))),
  otherIds: v.optional(v.pipe(v.array(v.pipe(v.string(), v.check(isId))), v.maxLength(MAX_OTHER_IDS))),
  trade: v.optional(digest),
  replaces: v.optional(keyId),
  uses: v.optional(count),
  trades: v.optional(v.pipe(v.array(digest), v.maxLength(MAX_TRADES))),
  expiresAt: v.optional(time),
});

/** Returns an entry as text. When the key was last used is left out, because each server notes that for itself. */
export function sharedText(entry: KeyEntry): string {
  // The parser puts the members in one order, so equal entries are equal texts.
  const { lastUsedAt: _, ...shared } = parseKeyEntry(entry) ?? entry;
  return JSON.stringify(shared);
}

/**
 * Returns an entry as text that takes the place of another text. Members and limits of that text which this version does not
 * know stay: a server of a later version has set them, and relies on them.
 */
export function sharedTextOver(entry: KeyEntry, before: string | undefined): string {
  const text = sharedText(entry);
  const replaced = before === undefined ? undefined : parseJson(before);
  if (!isRecord(replaced)) return text;
  const limits = isRecord(replaced["limits"]) ? unknownOf(replaced["limits"], keptTerms.limits.entries) : {};
  const others = unknownOf(replaced, keyEntrySchema.entries);
  if (Object.keys({ ...limits, ...others }).length === 0) return text;
  const { lastUsedAt: _, ...shared } = parseKeyEntry(entry) ?? entry;
  const whole = JSON.stringify({ ...shared, limits: { ...shared.limits, ...limits }, ...others });
  return whole.length > MAX_TEXT_CHARS ? text : whole;
}

function unknownOf(value: Readonly<Record<string, unknown>>, known: object): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(value).filter(([name]) => !Object.hasOwn(known, name)));
}

/** Whether a text says of the key of an entry what the entry says, as far as this version understands it. */
export function isSharedTextOf(entry: KeyEntry, text: string): boolean {
  const own = sharedText(entry);
  if (text === own) return true;
  const read = readSharedEntry(entry.id, text);
  return read !== undefined && sharedText(read) === own;
}

const revocationSchema = v.object({ id: v.string(), revokedAt: time, revokedBy: v.optional(caller) });

/** Reads whether the key with this id was revoked, also from an entry that only a later version can read. */
export function readRevocation(id: string, text: string): Revocation | undefined {
  const read = v.safeParse(revocationSchema, parseJson(text));
  if (!read.success || read.output.id !== id) return undefined;
  const { revokedAt, revokedBy } = read.output;
  return { revokedAt, revokedBy };
}

/** Reads the entry of the key with this id; undefined for a text that is none. */
export function readSharedEntry(id: string, text: string): KeyEntry | undefined {
  const value = parseJson(text);
  const entry = parseKeyEntry(value);
  if (entry?.id !== id || !v.is(boundsSchema, value) || !areTermsInBounds(entry.kind, entry)) return undefined;
  const { lastUsedAt: _, ...shared } = entry;
  return shared;
}
