import type { KeyRecord, KeyRefusal, KeySource } from "../auth/keys.ts";
import { Fault } from "../errors.ts";
import type { Clock } from "../system/deps.ts";
import { callerName, ownerOfSecret, readOwner } from "./key-caller.ts";
import { type FormerSecret, type KeyEntry, type KeyKind, KIND_NAMES } from "./key-entry.ts";
import type { HashedKey, KeyIndex } from "./key-index.ts";
import { readKeyText } from "./key-text.ts";
import type { KeysStanding } from "./shared-keys.ts";

export interface MadeKeysOptions {
  readonly kind: KeyKind;
  readonly index: KeyIndex;
  readonly clock: Pick<Clock, "now">;
  /** Whether there are, or were, keys of this kind. */
  readonly hasAny: (kind: KeyKind) => boolean;
  /** Notes that the key with this id was used. */
  readonly onUse: (id: string) => void;
  /** What is known of the keys that the servers of a cluster share. */
  readonly standing?: (() => KeysStanding) | undefined;
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
export function createKeySource({ kind, index, clock, hasAny, onUse, standing }: MadeKeysOptions): KeySource {
  const away = () => {
    const stands = standing?.();
    return stands?.kind === "away" ? stands : undefined;
  };
  /** Whether nobody knows whether a key was revoked meanwhile. The keys of `KEYS_FILE` are always known. */
  const isStale = ({ source }: KeyEntry): boolean => {
    const until = source === "file" ? undefined : away()?.until;
    return until !== undefined && clock.now() >= until;
  };
  return {
    get isEmpty() {
      return !hasAny(kind) && !this.isUnread;
    },
    get isUnread() {
      return !hasAny(kind) && (away()?.isUnread ?? false);
    },
    find(hash): KeyRecord | undefined {
      const found = index.find(hash);
      if (found === undefined || found.held.entry.kind !== kind) return undefined;
      const { entry } = found.held;
      const isValid = endOf(entry, clock.now(), found.validUntil) === undefined;
      return isValid && !isStale(entry) ? found.record : undefined;
    },
    hasOwner(owner): boolean {
      const named = readOwner(owner);
      const entry = named && index.get(named.id)?.entry;
      if (!named || entry?.kind !== kind) return false;
      const secret = secretOf(entry, named.digest);
      return secret !== undefined && endOf(entry, clock.now(), secret.validUntil) === undefined;
    },
    secretOwner(hash) {
      const record = this.find(hash);
      return record?.keyId === undefined ? undefined : ownerOfSecret(record.keyId, hash);
    },
    hashOf(owner) {
      const named = readOwner(owner);
      const entry = named && index.get(named.id)?.entry;
      return named?.digest === undefined || !entry ? undefined : secretOf(entry, named.digest)?.hash;
    },
    used({ keyId }) {
      if (keyId !== undefined) onUse(keyId);
    },
    explain(key, hash): KeyRefusal | undefined {
      const found = index.find(hash);
      if (found) return refusalOf(found, kind, clock.now()) ?? (isStale(found.held.entry) ? STALE : undefined);
      const form = readKeyText(key).kind;
      // Another server may have created it.
      if (form === "key" && away()) return UNHEARD;
      // Without any key of this form there is nothing that could have been mistyped.
      if (index.size === 0 || form !== "mistyped") return undefined;
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

const UNCONFIRMED = { code: "key_not_confirmed", caller: undefined, isGuess: false } as const;

const UNHEARD: KeyRefusal = {
  ...UNCONFIRMED,
  reason: "key_not_heard_of",
  message:
    "This server does not know this key, but it cannot reach the records of its cluster in NATS, which may have it. Try again shortly.",
};

const STALE: KeyRefusal = {
  ...UNCONFIRMED,
  reason: "keys_stale",
  message:
    "This server cannot reach the records of its cluster in NATS, and has not heard for longer than KEYS_STALE_MAX whether this key was revoked. Try again shortly.",
};

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
