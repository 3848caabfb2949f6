import type { Clock, Ids } from "../system/deps.ts";
import { sha256 } from "./keys.ts";

/** Half a day. It covers one working day, and signs out a browser that is left open overnight. */
const LIFE_MS = 12 * 60 * 60 * 1000;

/** The most sign-ins at once, far more than one dashboard has viewers. Beyond it the oldest sign-in ends. */
const MAX_SIGN_INS = 1000;

const COOKIE = "moorage_session";
const COOKIE_VALUE = new RegExp(`(?:^|;\\s*)${COOKIE}=([A-Za-z0-9_-]{16,64})(?:;|$)`);

/** The current sign-ins to the dashboard. Only hashes of random tokens are kept, and a restart ends all sign-ins. */
export class SignIns {
  readonly #clock: Clock;
  readonly #ids: Ids;
  /** The `Clock.elapsed` at which each sign-in ends, by the hash of its token. The oldest comes first. */
  readonly #endsAt = new Map<string, number>();

  constructor(clock: Clock, ids: Ids) {
    this.#clock = clock;
    this.#ids = ids;
  }

  /** Begins a sign-in and returns the value of `Set-Cookie`. */
  begin(isSecure: boolean): string {
    const token = this.#ids.secret();
    if (this.#endsAt.size >= MAX_SIGN_INS) {
      const first = this.#endsAt.keys().next();
      if (!first.done) this.#endsAt.delete(first.value);
    }
    this.#endsAt.set(sha256(token), this.#clock.elapsed() + LIFE_MS);
    return cookie(token, LIFE_MS / 1000, isSecure);
  }

  /** Returns the id of the request's sign-in, which is not secret; undefined if it has none or if it has ended. */
  find(request: Request): string | undefined {
    const id = idOf(request);
    return id !== undefined && this.isCurrent(id) ? id : undefined;
  }

  /** Returns whether a sign-in still lasts. `id` is a result of `find`. */
  isCurrent(id: string): boolean {
    const endsAt = this.#endsAt.get(id);
    if (endsAt === undefined) return false;
    if (this.#clock.elapsed() < endsAt) return true;
    this.#endsAt.delete(id);
    return false;
  }

  /** Ends the request's sign-in, if it has one, and returns the value of `Set-Cookie`. */
  end(request: Request, isSecure: boolean): string {
    const id = idOf(request);
    if (id !== undefined) this.#endsAt.delete(id);
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
