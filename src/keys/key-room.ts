import { Fault } from "../errors.ts";
import type { KeyEntry } from "./key-entry.ts";
import { endOf } from "./key-source.ts";

/** The most valid keys. */
const MAX_VALID = 20_000;
/** The most keys that are revoked or have expired. Beyond it, those that ended first are forgotten. */
const MAX_ENDED = 10_000;
/** How many of these are forgotten at a time. */
const FORGET_AT_ONCE = 1000;
/** The most keys with those that other servers have made: all that one server keeps, and what another one may not have forgotten yet. */
export const MAX_ACCEPTED = MAX_VALID + MAX_ENDED + FORGET_AT_ONCE;

/**
 * Returns the keys that are forgotten so that one more has room, those that ended first. Throws `invalid_request` if there are too
 * many valid ones. `list` returns all `size` entries, and is called only when there are many.
 */
export function keysToForget(size: number, list: () => readonly KeyEntry[], now: number): readonly KeyEntry[] {
  if (size < MAX_VALID) return [];
  const ended = list()
    .filter((entry) => entry.source === "made" && endOf(entry, now) !== undefined)
    .sort((a, b) => endedAt(a) - endedAt(b));
  if (size - ended.length >= MAX_VALID) {
    const message = `This server has ${MAX_VALID} valid keys already, which is the limit. Revoke some of them first.`;
    throw new Fault("invalid_request", { message });
  }
  return ended.length < MAX_ENDED ? [] : ended.slice(0, FORGET_AT_ONCE);
}

function endedAt({ revokedAt, expiresAt }: KeyEntry): number {
  return Math.min(revokedAt ?? Number.POSITIVE_INFINITY, expiresAt ?? Number.POSITIVE_INFINITY);
}
