import { IdentityFault, type IdentityReason } from "../auth/identity-provider.ts";
import { isRecord } from "../json/parse.ts";

/** A request to the issuer that got no usable response. A `TypeError`, because the client passes those on unchanged. */
export class UnreachableError extends TypeError {
  override readonly name = "UnreachableError";
}

/** Errors of the token endpoint (RFC 6749 §5.2) that say that the issuer does not know this server as it should. */
const REFUSALS: readonly unknown[] = ["invalid_client", "unauthorized_client"];

/** Responses that say nothing about the sign-in: errors of the issuer, or of a proxy in front of it. */
const NO_ANSWERS: readonly unknown[] = [
  "OAUTH_RESPONSE_IS_NOT_CONFORM",
  "OAUTH_RESPONSE_IS_NOT_JSON",
  "OAUTH_TIMEOUT",
  "OAUTH_ABORT",
];

/**
 * Returns the fault that an error of the client stands for. The client names an error that the issuer sent in `error`, and
 * its own checks in `code`. No token, code or secret becomes part of the detail.
 */
export function toIdentityFault(error: unknown): IdentityFault {
  if (error instanceof IdentityFault) return error;
  if (error instanceof UnreachableError) return new IdentityFault("unreachable", error.message, error);
  const { code, error: sent, cause, message } = fieldsOf(error);
  if (typeof sent === "string") {
    if (code === "OAUTH_AUTHORIZATION_RESPONSE_ERROR") return new IdentityFault("declined", sent, error);
    if (sent === "invalid_grant") return new IdentityFault("used_code", sent, error);
    return new IdentityFault(REFUSALS.includes(sent) ? "refused" : "unreachable", sent, error);
  }
  const detail = [code ?? message, nameOf(cause)].filter((each) => typeof each === "string").join(" ");
  return new IdentityFault(reasonOf(code, cause), detail, error);
}

function reasonOf(code: unknown, cause: unknown): IdentityReason {
  if (code === "OAUTH_JWT_TIMESTAMP_CHECK_FAILED") return "wrong_times";
  // The client puts the response that it could not use into `cause`.
  if (code === "OAUTH_WWW_AUTHENTICATE_CHALLENGE") return "refused";
  if (cause instanceof Response && cause.status === 401) return "refused";
  return NO_ANSWERS.includes(code) ? "unreachable" : "invalid";
}

/** Returns what failed a check: the name of a claim, or the status of a response. */
function nameOf(cause: unknown): string | undefined {
  if (cause instanceof Response) return `status ${cause.status}`;
  const { cause: inner, claim, attribute, message } = fieldsOf(cause);
  if (typeof claim === "string") return claim;
  if (typeof attribute === "string") return attribute;
  return inner === undefined ? (typeof message === "string" ? message : undefined) : nameOf(inner);
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  if (value instanceof Error) {
    const { message, cause } = value;
    return { ...value, message, cause, code: Reflect.get(value, "code"), error: Reflect.get(value, "error") };
  }
  return isRecord(value) ? value : {};
}
