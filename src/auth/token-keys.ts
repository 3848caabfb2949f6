import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto";
import type { Clock } from "../system/deps.ts";

/** A random secret that outlives the process and is the same on every server of a cluster. */
export interface SharedSecret {
  /** Returns the secret: text with 256 random bits. Undefined while it is not known. */
  current(): string | undefined;
}

/** The use of a token. A token for one use is invalid for another. */
export type TokenUse = "sign-in" | "try" | "oidc";

/** The content of a valid token. */
export interface Opened {
  readonly text: string;
  /** Whether the token may stand for this owner: see `TokenKeys`. */
  mayStandFor(owner: string): boolean;
}

export interface TokenKeysOptions {
  readonly clock: Clock;
  /** Keys are derived from those of operators unless it is given and known. */
  readonly shared?: SharedSecret | undefined;
}

interface Key {
  readonly bytes: Uint8Array;
  readonly hadOwner: (owner: string) => boolean;
  /** `Clock.elapsed` from which it opens nothing; infinite for the key that is used now. */
  readonly endsAt: number;
}

/** No token lives longer, so a former key need not be kept longer. */
export const MAX_TOKEN_MS = 12 * 60 * 60_000;
/** The most former keys. Each reload that changes the operators' keys leaves one. */
const MAX_FORMER = 8;

const CIPHER = "aes-256-gcm";
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/**
 * Seals and opens tokens that every server with the same secret or the same keys can open, so none of them is stored. A
 * token is encrypted as well as authenticated (AES-256-GCM), because it contains an owner name, which must not be shown.
 *
 * Without a shared secret, the key is derived from the keys of operators and, with an issuer, from the secret that the server
 * has there. Anyone who knows all of these needs no token, so that is safe. A key that they were derived from before a reload
 * still opens tokens for 12 hours, but only for owners that existed at that time: a removed key must not make tokens for one
 * that replaced it.
 */
export class TokenKeys {
  readonly #options: TokenKeysOptions;
  #derived: Key | undefined;
  #former: readonly Key[] = [];
  #shared: { readonly secret: string; readonly key: Key } | undefined;

  constructor(options: TokenKeysOptions) {
    this.#options = options;
  }

  /**
   * Takes over the keys of operators; with none, tokens are valid on this server alone and until it ends. `hadOwner` tells
   * whether one of these keys stands for an owner; it MUST keep answering for these keys.
   */
  derive(keys: readonly string[], hadOwner: (owner: string) => boolean): void {
    const secret = keys.length === 0 ? undefined : JSON.stringify([...keys].sort());
    const bytes = secret === undefined ? randomBytes(32) : toKey(secret);
    const before = this.#derived;
    // The owners of a former key are those of its own time, even if the key is the same.
    this.#derived = { bytes, hadOwner, endsAt: Number.POSITIVE_INFINITY };
    if (!before || Buffer.from(before.bytes).equals(bytes)) return;
    const endsAt = this.#options.clock.elapsed() + MAX_TOKEN_MS;
    this.#former = [{ ...before, endsAt }, ...this.#former].slice(0, MAX_FORMER);
  }

  /** Makes a token of letters, digits, `-` and `_`. */
  seal(use: TokenUse, text: string): string {
    const key = this.#sharedKey() ?? this.#derived;
    if (!key) throw new Error("a token was sealed before there was a key");
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(CIPHER, key.bytes, nonce).setAAD(Buffer.from(use));
    const sealed = [nonce, cipher.update(text, "utf8"), cipher.final(), cipher.getAuthTag()];
    return Buffer.concat(sealed).toString("base64url");
  }

  /** Returns the content of a token; undefined for one that was not sealed with any of the keys. */
  open(use: TokenUse, token: string): Opened | undefined {
    const bytes = Buffer.from(token, "base64url");
    if (bytes.length < NONCE_BYTES + TAG_BYTES) return undefined;
    const now = this.#options.clock.elapsed();
    for (const key of [this.#sharedKey(), this.#derived, ...this.#former]) {
      if (!key || now >= key.endsAt) continue;
      const text = openWith(key.bytes, use, bytes);
      if (text !== undefined) return { text, mayStandFor: key.hadOwner };
    }
    return undefined;
  }

  #sharedKey(): Key | undefined {
    const secret = this.#options.shared?.current();
    if (secret === undefined) return undefined;
    if (this.#shared?.secret !== secret) {
      const key = { bytes: toKey(secret), hadOwner: () => true, endsAt: Number.POSITIVE_INFINITY };
      this.#shared = { secret, key };
    }
    return this.#shared.key;
  }
}

function toKey(secret: string): Uint8Array {
  return new Uint8Array(hkdfSync("sha256", secret, "", "moorage tokens", 32));
}

function openWith(key: Uint8Array, use: TokenUse, bytes: Buffer): string | undefined {
  const nonce = bytes.subarray(0, NONCE_BYTES);
  const sealed = bytes.subarray(NONCE_BYTES, -TAG_BYTES);
  const decipher = createDecipheriv(CIPHER, key, nonce).setAAD(Buffer.from(use));
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
  try {
    return decipher.update(sealed, undefined, "utf8") + decipher.final("utf8");
  } catch {
    return undefined; // Another key sealed it, or nobody did.
  }
}
