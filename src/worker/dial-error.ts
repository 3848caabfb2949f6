import { shownProxy } from "./outgoing-proxy.ts";

/** Why a connection was not made, and what the operator can do about it. Neither contains a password. */
export interface DialError {
  readonly reason: string;
  readonly hint: string | undefined;
}

/** Explains an error of Bun's WebSocket (1.4.5), which has a message and no code. */
export function explainDialError(message: string, proxy: string | false): DialError {
  // Bun puts the URL in front of the error, and the log has it already.
  const reason = message.replace(/^WebSocket connection to '.*?' failed: /, "");
  const distrust = certificateHint(reason);
  if (proxy === false || distrust !== undefined) return { reason, hint: distrust };
  const name = `the proxy ${shownProxy(proxy)}`;
  const refusal = /^Proxy .*: (\d{3}\b.{0,80})$/.exec(reason)?.[1];
  // Some proxies answer 401 where the standard asks for 407 (RFC 9110 §15.5.8).
  if (refusal !== undefined && /^40[17]/.test(refusal)) {
    const isGiven = new URL(proxy).username !== "";
    const what = isGiven ? "does not accept the user name or the password" : "requires a user name and a password";
    return { reason: `${name} ${what} (${refusal})`, hint: `${VARIABLES} takes http://user:password@host:port` };
  }
  if (refusal !== undefined)
    return {
      reason: `${name} refused the connection (${refusal})`,
      hint: `let it connect to the server, or ${AROUND}`,
    };
  if (reason === "Failed to connect")
    return { reason: `${name} cannot be reached`, hint: `correct ${VARIABLES}, or ${AROUND}` };
  return { reason: `${reason} (through ${name})`, hint: undefined };
}

const VARIABLES = "HTTPS_PROXY (HTTP_PROXY for ws:// and http:// URLs)";
const AROUND = "name the server in NO_PROXY to dial it directly";

/**
 * Returns what to do about a certificate that is not trusted here; undefined for any other error. Takes a message or a
 * code.
 */
export function certificateHint(error: string): string | undefined {
  return DISTRUST.test(error)
    ? "if a private authority issued the certificate, set NODE_EXTRA_CA_CERTS to the file with that authority's certificate, and start again"
    : undefined;
}

/** The reasons of OpenSSL for which another trusted authority helps, as codes and in words. */
const DISTRUST =
  /SELF_SIGNED|UNABLE_TO_(?:GET_ISSUER|VERIFY_LEAF)|self[- ]signed certificate|unable to (?:get (?:local )?issuer|verify the first)/i;
