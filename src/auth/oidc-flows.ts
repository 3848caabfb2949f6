import { isRecord, parseJson } from "../json/parse.ts";
import type { Clock } from "../system/deps.ts";
import type { IdentityFlow } from "./identity-provider.ts";
import type { TokenKeys } from "./token-keys.ts";

/** A sign-in through the issuer that a browser has begun. */
export interface BegunFlow extends IdentityFlow {
  /** The address to which the issuer sends the browser back. */
  readonly redirectUri: string;
  /** The page that was asked for: a path of this server. */
  readonly to: string;
  /** What goes on after the sign-in of somebody who lets a program in: see `Consent.resume`. Absent for operators. */
  readonly resume?: string | undefined;
}

/** Enough for a password, a second factor and a consent. */
const LIFE_MS = 10 * 60_000;

const COOKIE = "moorage_oidc";
const COOKIE_VALUE = new RegExp(`(?:^|;\\s*)${COOKIE}=([A-Za-z0-9_-]{16,3072})(?:;|$)`);

/**
 * Sign-ins that are under way at the issuer. None is stored: the browser keeps its own in a sealed cookie, so the callback
 * may arrive at any server with the same `TokenKeys`, and never counts in another browser.
 */
export class OidcFlows {
  readonly #clock: Clock;
  readonly #keys: TokenKeys;
  readonly #owner: string;

  /** `owner` is that of sign-ins under the present settings: a flow that began under others is not valid. */
  constructor(clock: Clock, keys: TokenKeys, owner: string) {
    this.#clock = clock;
    this.#keys = keys;
    this.#owner = owner;
  }

  /** Returns the value of `Set-Cookie` that keeps a flow. */
  keep({ redirectUri, ...flow }: BegunFlow, isSecure: boolean): string {
    const endsAt = this.#clock.now() + LIFE_MS;
    const content = { ...flow, redirect_uri: redirectUri, owner: this.#owner, ends_at: endsAt };
    return cookie(this.#keys.seal("oidc", JSON.stringify(content)), LIFE_MS / 1000, isSecure);
  }

  /** Returns the flow that the request's browser has begun; undefined if it has none, or one that has ended. */
  find(request: Request): BegunFlow | undefined {
    const token = COOKIE_VALUE.exec(request.headers.get("cookie") ?? "")?.[1];
    const opened = token === undefined ? undefined : this.#keys.open("oidc", token);
    const content = opened && parseJson(opened.text);
    if (!isRecord(content) || content["owner"] !== this.#owner || !opened?.mayStandFor(this.#owner)) return undefined;
    const { state, nonce, verifier, redirect_uri: redirectUri, to, resume, ends_at: endsAt } = content;
    if (resume !== undefined && typeof resume !== "string") return undefined;
    if (typeof endsAt !== "number" || this.#clock.now() >= endsAt) return undefined;
    if (typeof state !== "string" || typeof nonce !== "string" || typeof verifier !== "string") return undefined;
    return typeof redirectUri === "string" && typeof to === "string"
      ? { state, nonce, verifier, redirectUri, to, resume }
      : undefined;
  }

  /** Returns the value of `Set-Cookie` that removes the browser's flow. */
  end(isSecure: boolean): string {
    return cookie("", 0, isSecure);
  }
}

/** `Lax`, because the issuer's page sends the browser back: a browser would keep a `Strict` cookie to itself. */
function cookie(value: string, maxAgeS: number, isSecure: boolean): string {
  return `${COOKIE}=${value}; Path=/state/oidc; Max-Age=${maxAgeS}; HttpOnly; SameSite=Lax${isSecure ? "; Secure" : ""}`;
}
