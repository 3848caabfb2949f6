import type { Clock, Ids } from "../system/deps.ts";
import { sha256 } from "./keys.ts";

/** Half a day: one working day without a second sign-in, and a browser left open overnight is signed out. */
const LIFE_MS = 12 * 60 * 60 * 1000;

/** Far more people than look at one dashboard; beyond it the oldest sign-in ends. */
const MAX_SIGN_INS = 1000;

const COOKIE = "moorage_session";
const COOKIE_VALUE = new RegExp(`(?:^|;\\s*)${COOKIE}=([A-Za-z0-9_-]{16,64})(?:;|$)`);

/** Who is signed in to the dashboard. Holds hashes of random tokens, never a key or a token, and forgets all on restart. */
export class SignIns {
  readonly #clock: Clock;
  readonly #ids: Ids;
  /** Hash of the token to when it ends, in `Clock.elapsed`; in order of beginning. */
  readonly #endsAt = new Map<string, number>();

  constructor(clock: Clock, ids: Ids) {
    this.#clock = clock;
    this.#ids = ids;
  }

  /** Begins a sign-in; gives the value for `Set-Cookie`. */
  begin(isSecure: boolean): string {
    const token = this.#ids.secret();
    if (this.#endsAt.size >= MAX_SIGN_INS) {
      const first = this.#endsAt.keys().next();
      if (!first.done) this.#endsAt.delete(first.value);
    }
    this.#endsAt.set(sha256(token), this.#clock.elapsed() + LIFE_MS);
    return cookie(token, LIFE_MS / 1000, isSecure);
  }

  /** The request's sign-in by an id that is no secret; undefined where it has none, or none any more. */
  find(request: Request): string | undefined {
    const id = idOf(request);
    return id !== undefined && this.isCurrent(id) ? id : undefined;
  }

  /** Whether the sign-in that `find` gave goes on. */
  isCurrent(id: string): boolean {
    const endsAt = this.#endsAt.get(id);
    if (endsAt === undefined) return false;
    if (this.#clock.elapsed() < endsAt) return true;
    this.#endsAt.delete(id);
    return false;
  }

  /** Ends the request's sign-in, if it has one; gives the value for `Set-Cookie`. */
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
