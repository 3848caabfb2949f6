import { isRecord, parseJson } from "../json/parse.ts";
import type { Clock, Ids } from "../system/deps.ts";
import { createCaller } from "./caller.ts";
import type { KeyRecord } from "./keys.ts";
import type { SignOut, SignOuts } from "./sign-outs.ts";
import { MAX_TOKEN_MS, type TokenKeys } from "./token-keys.ts";

/** Half a day. It covers one working day, and signs out a browser that is left open overnight. */
const LIFE_MS = MAX_TOKEN_MS;

const COOKIE = "moorage_session";
const COOKIE_VALUE = new RegExp(`(?:^|;\\s*)${COOKIE}=([A-Za-z0-9_-]{16,1024})(?:;|$)`);

/** What a sign-in allows: an admin acts, a viewer only sees. */
export type Role = "admin" | "viewer";

/** One sign-in to the dashboard. */
export interface SignIn extends SignOut {
  /**
   * The holder of the key that was given: its name, and the owner that the key stands for. For a user of an issuer, the owner
   * is that of `oidcOwner`. Its limits are not known.
   */
  readonly caller: KeyRecord;
  readonly role: Role;
}

export interface SignInsOptions {
  readonly clock: Clock;
  readonly ids: Ids;
  readonly keys: TokenKeys;
  readonly signOuts: SignOuts;
}

/**
 * Sign-ins to the dashboard. No sign-in is stored: its cookie contains whose it is and when it ends, so it is valid on every
 * server that has the same `TokenKeys`, and after a restart. Only sign-outs are remembered.
 */
export class SignIns {
  readonly #options: SignInsOptions;

  constructor(options: SignInsOptions) {
    this.#options = options;
  }

  /** Begins a sign-in and returns the value of `Set-Cookie`. */
  begin({ name, owner }: Pick<KeyRecord, "name" | "owner">, isSecure: boolean, role: Role = "admin"): string {
    const { clock, ids, keys } = this.#options;
    const content = { id: ids.secret(), name, owner, role, ends_at: clock.now() + LIFE_MS };
    return cookie(keys.seal("sign-in", JSON.stringify(content)), LIFE_MS / 1000, isSecure);
  }

  /** Returns the request's sign-in; undefined if it has none or if it has ended. */
  find(request: Request): SignIn | undefined {
    const signIn = this.#read(request);
    return signIn && this.isCurrent(signIn) ? signIn : undefined;
  }

  /** Returns whether the sign-in of this id and end still lasts. */
  isCurrent(signIn: SignOut): boolean {
    return this.#options.clock.now() < signIn.endsAt && !this.#options.signOuts.has(signIn);
  }

  /** Ends the request's sign-in, if it has one, and returns the value of `Set-Cookie`. */
  end(request: Request, isSecure: boolean): string {
    const signIn = this.#read(request);
    if (signIn) this.#options.signOuts.add({ id: signIn.id, endsAt: signIn.endsAt });
    return cookie("", 0, isSecure);
  }

  #read(request: Request): SignIn | undefined {
    const header = request.headers.get("cookie");
    const token = header === null ? undefined : COOKIE_VALUE.exec(header)?.[1];
    const opened = token === undefined ? undefined : this.#options.keys.open("sign-in", token);
    const signIn = opened && toSignIn(parseJson(opened.text));
    return signIn && opened.mayStandFor(signIn.caller.owner) ? signIn : undefined;
  }
}

/** Reads what `begin` has sealed, perhaps in another version of the server. */
function toSignIn(value: unknown): SignIn | undefined {
  if (!isRecord(value)) return undefined;
  // Versions that knew no roles wrote none: all their sign-ins were those of admins.
  const { id, name, owner, role = "admin", ends_at: endsAt } = value;
  if (typeof id !== "string" || typeof name !== "string" || typeof owner !== "string") return undefined;
  if (typeof endsAt !== "number" || (role !== "admin" && role !== "viewer")) return undefined;
  return { id, endsAt, role, caller: { ...createCaller(name), owner } };
}

function cookie(value: string, maxAgeS: number, isSecure: boolean): string {
  return `${COOKIE}=${value}; Path=/; Max-Age=${maxAgeS}; HttpOnly; SameSite=Strict${isSecure ? "; Secure" : ""}`;
}
