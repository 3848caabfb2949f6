import type { KeyRecord, KeyRefusal, KeySource } from "../auth/keys.ts";
import { Fault } from "../errors.ts";
import type { Clock } from "../system/deps.ts";
import { callerName, readOwner } from "./key-caller.ts";
import { type FormerSecret, type KeyEntry, type KeyKind, KIND_NAMES } from "./key-entry.ts";
import type { HashedKey, KeyIndex } from "./key-index.ts";
import { readKeyText } from "./key-text.ts";

export interface MadeKeysOptions {
  readonly kind: KeyKind;
  readonly index: KeyIndex;
  readonly clock: Pick<Clock, "now">;
  /** Whether there are, or were, keys of this kind. */
  readonly hasAny: (kind: KeyKind) => boolean;
  /** Notes that the key with this id was used. */
  readonly onUse: (id: string) => void;
}

/** Why a key is no longer valid, as the code that a client gets. */
export type EndOfKey = "key_expired" | "key_revoked" | "key_rotated";

/** Returns why a key is not valid at this time; undefined if it is. `validUntil` is that of the secret that was sent. */
export function endOf(entry: KeyEntry, now: number, validUntil?: number): EndOfKey | undefined {
  if (entry.revokedAt !== undefined) return "key_revoked";
  if (entry.expiresAt !== undefined && now >= entry.expiresAt) return "key_expired";
  return validUntil !== undefined && now >= validUntil ? "key_rotated" : undefined;
}

/** Creates a source of the keys of one kind in an index. */
export function createKeySource({ kind, index, clock, hasAny, onUse }: MadeKeysOptions): KeySource {
  return {
    get isEmpty() {
      return !hasAny(kind);
    },
    find(hash): KeyRecord | undefined {
      const found = index.find(hash);
      if (found === undefined || found.held.entry.kind !== kind) return undefined;
      return endOf(found.held.entry, clock.now(), found.validUntil) === undefined ? found.record : undefined;
    },
    hasOwner(owner): boolean {
      const named = readOwner(owner);
      const entry = named && index.get(named.id)?.entry;
      if (!named || entry?.kind !== kind) return false;
      const secret = secretOf(entry, named.digest);
      return secret !== undefined && endOf(entry, clock.now(), secret.validUntil) === undefined;
    },
    used({ keyId }) {
      if (keyId !== undefined) onUse(keyId);
    },
    explain(key, hash): KeyRefusal | undefined {
      const found = index.find(hash);
      if (found) return refusalOf(found, kind, clock.now());
      // Without any key of this form there is nothing that could have been mistyped.
      if (index.size === 0 || readKeyText(key).kind !== "mistyped") return undefined;
      return {
        code: "invalid_api_key",
        message:
          "This key was mistyped or cut off: its last six characters do not match the rest. Copy the whole key again.",
        reason: "mistyped",
        caller: undefined,
        isGuess: true,
      };
    },
  };
}

/** Finds the secret that an owner name stands for; for a name of a whole key, the current one. */
function secretOf({ secret, former }: KeyEntry, digest: string | undefined): Partial<FormerSecret> | undefined {
  if (digest === undefined || secret.hash.startsWith(digest)) return secret;
  return former.find(({ hash }) => hash.startsWith(digest));
}

/** Returns the error for the requests of a key that are in progress when it ends; undefined while it is valid. */
export function endFault(entry: KeyEntry | undefined, now: number): Fault | undefined {
  if (!entry) return new Fault("key_revoked");
  const end = endOf(entry, now);
  return end === undefined ? undefined : new Fault(end, { message: endText(entry, end, undefined) });
}

function refusalOf({ held: { entry }, validUntil }: HashedKey, kind: KeyKind, now: number): KeyRefusal | undefined {
  const known = { caller: callerName(entry), isGuess: false };
  const end = endOf(entry, now, validUntil);
  if (end !== undefined) return { ...known, code: end, reason: end, message: endText(entry, end, validUntil) };
  if (entry.kind === kind) return undefined;
  const message = `This is ${KIND_NAMES[entry.kind]}, but this route requires ${KIND_NAMES[kind]}.`;
  return { ...known, code: "invalid_api_key", reason: "key_of_another_kind", message };
}

function endText(entry: KeyEntry, end: EndOfKey, validUntil: number | undefined): string {
  switch (end) {
    case "key_revoked":
      return "This key was revoked. Ask the operator of this server for another one.";
    case "key_expired":
      return `This key expired at ${timeText(entry.expiresAt)}. Ask the operator of this server to extend it, or for another one.`;
    case "key_rotated":
      return `This key was replaced by a new one and was accepted until ${timeText(validUntil)}. Use the new key.`;
  }
}

function timeText(at: number | undefined): string {
  return at === undefined ? "" : new Date(at).toISOString();
}
