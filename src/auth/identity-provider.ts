import { cleanText } from "../wire/clean-text.ts";

/** The secrets of one sign-in at the issuer, which its answer is checked against. */
export interface IdentityFlow {
  readonly state: string;
  readonly nonce: string;
  /** The code verifier (PKCE). */
  readonly verifier: string;
}

/** What the issuer says about a user. */
export type Claims = Readonly<Record<string, unknown>>;

/** Why users cannot sign in through the issuer, for the dashboard. */
export interface IdentityProblem {
  readonly code: "oidc_unreachable" | "oidc_refused";
  /** The cause, as cleaned text. */
  readonly detail: string;
}

/** An OpenID Connect issuer. Its methods throw `IdentityFault`. */
export interface IdentityProvider {
  /** The issuer's host, for pages and logs. */
  readonly name: string;
  readonly problem: IdentityProblem | undefined;
  /** Begins a sign-in and returns the URL at the issuer to send the browser to. */
  begin(redirectUri: string): Promise<{ readonly url: string; readonly flow: IdentityFlow }>;
  /**
   * Exchanges the code in the callback for the user's claims. MUST check everything that OpenID Connect demands: state,
   * nonce, code verifier, issuer, audience, times and signature. Asks for more claims if `isEnough` is false for those of
   * the ID token.
   */
  finish(callback: URL, flow: IdentityFlow, isEnough: (claims: Claims) => boolean): Promise<Claims>;
  /** Ends its timers. */
  close(): void;
}

/**
 * The reason why nobody was signed in through the issuer:
 * - `not_begun`: the callback belongs to no sign-in that this browser has begun within ten minutes.
 * - `declined`: the issuer or the user refused the sign-in.
 * - `used_code`: the issuer does not accept the code, which is valid once and for a short time.
 * - `wrong_times`: the ID token has expired or is not valid yet by this server's clock.
 * - `invalid`: the issuer's answer fails a check.
 * - `unreachable`: the issuer does not answer, or answers with an error of its own.
 * - `refused`: the issuer does not accept this server's client id, secret or redirect URI.
 * - `no_role`: the user has neither the claim of an admin nor that of a viewer.
 * - `no_caller`: the user has no claim of those who may let programs in.
 * - `busy`: too many sign-ins are being checked, or too many from this address have failed.
 */
export type IdentityReason =
  | "not_begun"
  | "declined"
  | "used_code"
  | "wrong_times"
  | "invalid"
  | "unreachable"
  | "refused"
  | "no_role"
  | "no_caller"
  | "busy";

const MAX_DETAIL_CHARS = 200;

/** A sign-in through the issuer that has failed. */
export class IdentityFault extends Error {
  override readonly name = "IdentityFault";
  readonly reason: IdentityReason;
  /** More about it, for the log; cleaned and bounded. */
  readonly detail: string | undefined;

  constructor(reason: IdentityReason, detail?: string, cause?: unknown) {
    super(reason, { cause });
    this.reason = reason;
    this.detail = detail === undefined ? undefined : cleanText(detail).slice(0, MAX_DETAIL_CHARS);
  }
}
