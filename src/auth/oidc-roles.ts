import type { Config } from "../config.ts";
import type { Claims } from "./identity-provider.ts";
import { sha256 } from "./keys.ts";
import type { Role } from "./sign-ins.ts";

type OidcConfig = Pick<Config, "oidcIssuer" | "oidcClientId" | "oidcAdminClaims" | "oidcViewerClaims">;
type ClaimRules = Config["oidcAdminClaims"];

/**
 * Returns the owner that sign-ins through the issuer stand for; undefined without an issuer. It changes with the issuer, the
 * client and the rules for roles, so that a sign-in under other settings is not valid any more.
 */
export function oidcOwner(config: OidcConfig): string | undefined {
  const { oidcIssuer, oidcClientId, oidcAdminClaims, oidcViewerClaims } = config;
  if (oidcIssuer === undefined) return undefined;
  const settings = JSON.stringify([oidcIssuer, oidcClientId, oidcAdminClaims, oidcViewerClaims]);
  return `oidc:${sha256(settings).slice(0, 16)}`;
}

/**
 * Returns the name of the issuer for which users of it let programs in; undefined where none of them may. It changes with the issuer,
 * the client and the claim that callers need, so that what users let in under other settings is not valid any more. The rules for
 * roles do not change it.
 */
export function oidcCallerOwner(
  config: Pick<Config, "oidcIssuer" | "oidcClientId" | "oidcCallerClaims">,
): string | undefined {
  const { oidcIssuer, oidcClientId, oidcCallerClaims } = config;
  if (oidcIssuer === undefined || oidcCallerClaims.length === 0) return undefined;
  const settings = JSON.stringify([oidcIssuer, oidcClientId, oidcCallerClaims]);
  return `oidc-caller:${sha256(settings).slice(0, 16)}`;
}

/** Returns the role of a user with these claims; undefined for a user without any. */
export function roleIn(claims: Claims, { oidcAdminClaims, oidcViewerClaims }: OidcConfig): Role | undefined {
  if (matches(claims, oidcAdminClaims)) return "admin";
  return matches(claims, oidcViewerClaims) ? "viewer" : undefined;
}

/** Returns whether a user with these claims may let programs call connector relays. */
export function mayLetIn(claims: Claims, { oidcCallerClaims }: Pick<Config, "oidcCallerClaims">): boolean {
  return matches(claims, oidcCallerClaims);
}

function matches(claims: Claims, rules: ClaimRules): boolean {
  return rules.some(({ claim, value }) => {
    // At many issuers, users may enter any address before it is verified.
    if (claim === "email" && isUnverified(claims["email_verified"])) return false;
    const found = claimIn(claims, claim);
    return Array.isArray(found) ? found.some((each) => isSame(each, value)) : isSame(found, value);
  });
}

/** Some issuers do not say whether an address is verified, and some write it as text. */
function isUnverified(said: unknown): boolean {
  return said !== undefined && said !== true && said !== "true";
}

function isSame(found: unknown, value: string): boolean {
  if (typeof found === "string") return found === value;
  return (typeof found === "boolean" || typeof found === "number") && String(found) === value;
}

/** Reads a claim by its name, or by a path such as `realm_access.roles`. */
function claimIn(claims: Claims, name: string): unknown {
  if (Object.hasOwn(claims, name)) return claims[name];
  let value: unknown = claims;
  for (const part of name.split(".")) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, part)) return undefined;
    value = Reflect.get(value, part);
  }
  return value;
}

const MAX_NAME_CHARS = 64;
/** A name that is shown as it is: letters and digits of any script, and what addresses and ids contain. */
const PLAIN_NAME = /^[\p{L}\p{N}._%+@|/=~-]+$/u;

/**
 * Returns the caller name of a user: `oidc:` with the address if the issuer has verified it, else with the id at the issuer.
 * A name that is too long or has other characters is cut and cleaned, and ends in a digest of the id, so that no two users
 * share one.
 */
export function userName(claims: Claims): string {
  const id = textOf(claims["sub"]);
  const verified = claims["email_verified"];
  const email = verified === true || verified === "true" ? textOf(claims["email"]) : "";
  const name = email === "" ? id : email;
  if (name.length <= MAX_NAME_CHARS && PLAIN_NAME.test(name)) return `oidc:${name}`;
  const plain = [...name.toWellFormed()].map((char) => (PLAIN_NAME.test(char) ? char : "_")).join("");
  return `oidc:${plain.slice(0, MAX_NAME_CHARS - 9).toWellFormed()}~${sha256(id).slice(0, 8)}`;
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
