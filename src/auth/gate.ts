import type { Visit } from "../http/visit.ts";
import type { Proxies } from "./addresses.ts";
import { type AuthSurface, type Caller, type CallerLimits, createCaller } from "./caller.ts";
import { type KeyRecord, type KeySource, keysOf, sha256 } from "./keys.ts";
import type { Refusals } from "./refusals.ts";

/** What all gates of a server share. */
export interface GateParts {
  readonly proxies: Proxies;
  readonly refusals: Refusals;
  /** Limits of a caller by role. */
  readonly roleLimits: CallerLimits;
}

export interface GateOptions {
  /** What its refusals are counted under. */
  readonly surface: AuthSurface;
  readonly sources: readonly KeySource[];
  readonly roles: readonly string[];
  /** Keys of another door. Giving one of them here is a mistake and no guess, so it does not count as a wrong key. */
  readonly elsewhere?: KeySource;
  /** The message for a request without a right key; that of `invalid_api_key` unless given. */
  readonly refusal?: string;
  /** The caller of a token that is taken in place of a key. */
  readonly standIn?: (token: string) => Caller | undefined;
}

/** Keys and roles that open the same doors, and the check that a request has one of them. */
export class Gate {
  /** Neither a key nor a role has been set up, so nobody is asked for one. */
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
    this.isOpen = !this.hasKeys && this.#roles.size === 0;
  }

  /** The caller of a role that a trusted proxy gives; undefined without one. */
  roleOf(visit: Visit): Caller | undefined {
    if (this.#roles.size === 0) return undefined;
    const given = visit.request.headers.get("x-user-roles");
    if (given === null || !this.#parts.proxies.isTrusted(visit.address())) return undefined;
    for (const role of given.split(",")) {
      const caller = this.#roles.get(role.trim());
      if (caller) return caller;
    }
    return undefined;
  }

  /** The record of a key; undefined for a wrong one. Does not count wrong keys. */
  find(key: string): KeyRecord | undefined {
    const hash = sha256(key);
    for (const source of this.#options.sources) {
      const record = source.find(hash);
      if (record) return record;
    }
    return undefined;
  }

  /** The caller of a visit by role or by key. Throws `invalid_api_key` or `too_many_auth_failures`. */
  admit(visit: Visit): Caller {
    return this.roleOf(visit) ?? this.admitKeys(visit, keysOf(visit.request.headers));
  }

  /** The caller of the first right one of these keys. Throws `invalid_api_key` or `too_many_auth_failures`. */
  admitKeys(visit: Visit, keys: readonly string[]): Caller {
    const { surface, standIn, refusal, elsewhere } = this.#options;
    const { refusals } = this.#parts;
    refusals.assertMayTry(visit, surface);
    for (const key of keys) {
      const caller = this.find(key) ?? standIn?.(key);
      if (caller) return caller;
    }
    const isGuess = keys.some((key) => elsewhere?.find(sha256(key)) === undefined);
    throw refusals.refuse(visit, surface, { isGuess, message: refusal });
  }
}
