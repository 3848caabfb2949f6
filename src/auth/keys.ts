import { randomBytes, timingSafeEqual } from "node:crypto";

/** Configured keys, as their hashes. */
export interface KeySet {
  readonly isEmpty: boolean;
  /** The place of the key that equals `given`, or -1. Takes as long for any text of one length, right or wrong. */
  find(given: string): number;
}

/** Hashing both sides makes lengths equal, as the comparison needs, and hides the true ones. */
export function createKeySet(keys: readonly string[]): KeySet {
  const hashes = keys.map(sha256);
  return {
    isEmpty: hashes.length === 0,
    find(given) {
      const hash = sha256(given);
      let found = -1;
      // Every key is compared, so that the time says nothing about which one was right.
      for (const [place, known] of hashes.entries()) if (timingSafeEqual(hash, known)) found = place;
      return found;
    },
  };
}

/** Names for keys that reveal nothing about them: salted per process, so they mean nothing outside of it either. */
export function nameKeys(keys: readonly string[]): readonly string[] {
  const salt = randomBytes(32).toString("hex");
  return keys.map(
    (key) =>
      `key:${sha256(salt + key)
        .toHex()
        .slice(0, 16)}`,
  );
}

export function sha256(text: string): Uint8Array {
  return Bun.CryptoHasher.hash("sha256", text);
}

/** The keys that a request carries: as Bearer token, `x-api-key` or `api-key`. */
export function keysOf(headers: Headers): readonly string[] {
  const keys: string[] = [];
  const bearer = bearerOf(headers);
  if (bearer !== undefined) keys.push(bearer);
  const named = headers.get("x-api-key");
  if (named) keys.push(named);
  const short = headers.get("api-key");
  if (short) keys.push(short);
  return keys;
}

/** The Bearer token of a request; the scheme's name in any case. */
export function bearerOf(headers: Headers): string | undefined {
  const value = headers.get("authorization");
  if (value === null || value.length < 8 || value.slice(0, 7).toLowerCase() !== "bearer ") return undefined;
  return value.slice(7).trim() || undefined;
}
