import type { Clock, Ids } from "../system/deps.ts";
import type { Caller } from "./caller.ts";
import { sha256 } from "./keys.ts";

/** Half a day. It covers one working day, and signs out a browser that is left open overnight. */
const LIFE_MS = 12 * 60 * 60 * 1000;

/** The most sign-ins at once, far more than one dashboard has viewers. Beyond it the oldest sign-in ends. */
const MAX_SIGN_INS = 1000;

const COOKIE = "moorage_session";
const COOKIE_VALUE = new RegExp(`(?:^|;\\s*)${COOKIE}=([A-Za-z0-9_-]{16,64})(?:;|$)`);

/** One sign-in to the dashboard. */
export interface SignIn {
  /** Identifies the sign-in; not secret. */
  readonly id: string;
  /** The holder of the key that was given. */
  readonly caller: Caller;
}

interface Lasting extends SignIn {
  /** The `Clock.elapsed` at which it ends. */
  readonly endsAt: number;
}

/** The current sign-ins to the dashboard. Only hashes of random tokens are kept, and a restart ends all sign-ins. */
export class SignIns {
  readonly #clock: Clock;
  readonly #ids: Ids;
  /** By the hash of the token, which is the id. The oldest comes first. */
  readonly #lasting = new Map<string, Lasting>();

  constructor(clock: Clock, ids: Ids) {
    this.#clock = clock;
    this.#ids = ids;
  }

  /** Begins a sign-in and returns the value of `Set-Cookie`. */
  begin(caller: Caller, isSecure: boolean): string {
    const token = this.#ids.secret();
    if (this.#lasting.size >= MAX_SIGN_INS) {
      const first = this.#lasting.keys().next();
      if (!first.done) this.#lasting.delete(first.value);
    }
    const id = sha256(token);
    this.#lasting.set(id, { id, caller, endsAt: this.#clock.elapsed() + LIFE_MS });
    return cookie(token, LIFE_MS / 1000, isSecure);
  }

  /** Returns the request's sign-in; undefined if it has none or if it has ended. */
  find(request: Request): SignIn | undefined {
    const id = idOf(request);
    return id !== undefined && this.isCurrent(id) ? this.#lasting.get(id) : undefined;
  }

  /** Returns whether the sign-in of this id still lasts. */
  isCurrent(id: string): boolean {
    const lasting = this.#lasting.get(id);
    if (!lasting) return false;
    if (this.#clock.elapsed() < lasting.endsAt) return true;
    this.#lasting.delete(id);
    return false;
  }

  /** Ends the request's sign-in, if it has one, and returns the value of `Set-Cookie`. */
  end(request: Request, isSecure: boolean): string {
    const id = idOf(request);
    if (id !== undefined) this.#lasting.delete(id);
    return cookie("", 0, isSecure);
  }
}

function idOf(request: Request): string | undefined {
  const header = request.headers.get("cookie");
  const token = header === null ? undefined : COOKIE_VALUE.exec(header)?.[1];
  return token === undefined ? undefined : sha256(token);
}

function cookie(value: string, maxAgeS: number, isSecure: boolean): string {
  return `${COOKIE}=${value}; Path=/; Max-Age=${maxAgeS}; HttpOnly; SameSite=Strict${isSecure ? "; Secure" : ""}`;
}
