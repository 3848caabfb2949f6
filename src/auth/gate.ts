import type { Visit } from "../http/visit.ts";
import type { Proxies } from "./addresses.ts";
import { ANONYMOUS, type AuthSurface, type Caller, type CallerLimits, createCaller } from "./caller.ts";
import { type KeyRecord, type KeyRefusal, type KeySource, keysOf, sha256 } from "./keys.ts";
import type { Refusals } from "./refusals.ts";

/** The owner of workers that need no key. */
export const ANYBODY = "open";

/** The parts that all gates of a server share. */
export interface GateParts {
  readonly proxies: Proxies;
  readonly refusals: Refusals;
  /** Throws `origin_not_allowed` for a page of another site, which must not use the role of the browser's user. */
  readonly assertPageMayUseRole: (headers: Headers) => void;
  /** The limits of callers who come with a role. */
  readonly roleLimits: CallerLimits;
}

export interface GateOptions {
  /** The surface under which refusals are counted. */
  readonly surface: AuthSurface;
  readonly sources: readonly KeySource[];
  readonly roles: readonly string[];
  /** Whether a key or role is required even if none is known. */
  readonly isShut?: boolean;
  /**
   * Keys for another gate. A client that sends one here has made a mistake, not a guess, so it does not count as a wrong
   * key.
   */
  readonly elsewhere?: KeySource;
  /** The message for a request without a valid key; that of `invalid_api_key` unless given. */
  readonly refusal?: string;
  /** The owner that sign-ins without a key stand for: those by an issuer. */
  readonly signInOwner?: string | undefined;
  /** Returns the caller of a token that is accepted in place of a key. */
  readonly standIn?: (token: string) => Caller | undefined;
}

/** Checks that a request has one of a set of keys or roles that give the same access. */
export class Gate {
  /** Whether there is neither a key nor a role, so that none is required. */
  readonly isOpen: boolean;
  readonly hasKeys: boolean;
  readonly #parts: GateParts;
  readonly #options: GateOptions;
  readonly #roles: ReadonlyMap<string, Caller>;

  constructor(parts: GateParts, options: GateOptions) {
    this.#parts = parts;
    this.#options = options;
    this.#roles = new Map(options.roles.map((role) => [role, createCaller(`role:${role}`, parts.roleLimits)]));
    this.hasKeys = options.sources.some((source) => !source.isEmpty);
    this.isOpen = !this.hasKeys && this.#roles.size === 0 && !options.isShut;
  }

  /** Whether sign-ins are possible: with a key, or by an issuer. */
  get canSignIn(): boolean {
    return this.hasKeys || this.#options.signInOwner !== undefined;
  }

  /** Returns the caller of a role that a trusted proxy states; undefined if there is none. Throws `origin_not_allowed`. */
  roleOf(visit: Visit): Caller | undefined {
    if (this.#roles.size === 0) return undefined;
    const { headers } = visit.request;
    const given = headers.get("x-user-roles");
    if (given === null || !this.#parts.proxies.isTrusted(visit.address())) return undefined;
    for (const role of given.split(",")) {
      const caller = this.#roles.get(role.trim());
      if (!caller) continue;
      this.#parts.assertPageMayUseRole(headers);
      return caller;
    }
    return undefined;
  }

  /** Returns the record of a key; undefined for a wrong key, which is not counted. */
  find(key: string): KeyRecord | undefined {
    return this.findHash(sha256(key));
  }

  /** Does the same for the hash of a key. */
  findHash(hash: string): KeyRecord | undefined {
    for (const source of this.#options.sources) {
      const record = source.find(hash);
      if (!record) continue;
      source.used?.(record);
      return record;
    }
    return undefined;
  }

  /** Returns why a key is refused, if it is known or was mistyped; undefined for a key that nobody has made. */
  explain(key: string): KeyRefusal | undefined {
    const hash = sha256(key);
    for (const source of this.#options.sources) {
      const refusal = source.explain?.(key, hash);
      if (refusal) return refusal;
    }
    return undefined;
  }

  /** Returns whether this gate would let in a caller that it, or its predecessor before a reload, has let in. */
  stillAdmits(caller: Caller): boolean {
    if (caller === ANONYMOUS) return this.isOpen;
    return !this.isOpen && this.hasOwner(ownerOf(caller));
  }

  /** Whether a key, a role or a sign-in of this gate stands for an owner. */
  hasOwner(owner: string): boolean {
    if (this.isOpen) return owner === ANYBODY;
    for (const role of this.#roles.values()) if (role.name === owner) return true;
    return this.maySignInAs(owner);
  }

  /** Whether a sign-in may stand for the owner: with a key of this gate or by an issuer, and not with a role. */
  maySignInAs(owner: string): boolean {
    return owner === this.#options.signInOwner || this.#options.sources.some((source) => source.hasOwner(owner));
  }

  /**
   * Returns the caller of a visit by role or by key. Throws `invalid_api_key`, `key_expired`, `key_revoked`, `key_rotated`,
   * `too_many_auth_failures` or `origin_not_allowed`.
   */
  admit(visit: Visit): Caller {
    return this.roleOf(visit) ?? this.admitKeys(visit, keysOf(visit.request.headers));
  }

  /**
   * Returns the caller of the first valid key. Throws `invalid_api_key`, `key_expired`, `key_revoked`, `key_rotated` or
   * `too_many_auth_failures`.
   */
  admitKeys(visit: Visit, keys: readonly string[]): Caller {
    const { surface, standIn, refusal, elsewhere } = this.#options;
    for (const key of keys) {
      const caller = this.find(key) ?? standIn?.(key);
      if (caller) return caller;
    }
    const known = keys.map((key) => this.explain(key)).filter((each) => each !== undefined);
    // A request has room for several keys, and each different one is a guess of its own.
    const guesses = this.guessesIn(keys.filter((key) => elsewhere?.find(sha256(key)) === undefined));
    throw this.#parts.refusals.refuse(visit, surface, {
      guesses,
      hasKey: keys.length > 0,
      message: refusal,
      known: known[0],
    });
  }

  /** Counts the different keys that may be guesses. */
  guessesIn(keys: Iterable<string>): number {
    let guesses = 0;
    for (const key of new Set(keys)) if (this.explain(key)?.isGuess !== false) guesses += 1;
    return guesses;
  }
}

/** Returns the owner that a caller's key stands for, or the name of its role. */
export function ownerOf(caller: Caller): string {
  return isKeyRecord(caller) ? caller.owner : caller.name;
}

function isKeyRecord(caller: Caller): caller is KeyRecord {
  return "owner" in caller;
}
