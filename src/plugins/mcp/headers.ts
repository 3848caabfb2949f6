import { type HeaderPairs, isHeaderValue } from "../../wire/heads.ts";
import { isMcpAnswerHeader, isMcpRequestHeader } from "../../wire/mcp-headers.ts";

/** The header that names an MCP session. */
export const SESSION_HEADER = "mcp-session-id";

/**
 * Returns the request headers that the relay gets, after `own`, those that this server writes. `beginsSession`: the request
 * is an `initialize`, which the specification sends without a session. Some clients send the id of one that has ended, and
 * would be told so for ever. `isBearerOurs`: the bearer token is a credential for this server alone.
 */
export function toRelayHeaders(
  headers: Headers,
  own: HeaderPairs,
  { beginsSession, isBearerOurs }: { readonly beginsSession: boolean; readonly isBearerOurs: boolean },
): HeaderPairs {
  const pairs = [...own];
  for (const [name, value] of headers) {
    if (isBearerOurs && name === "authorization") continue;
    if (!isMcpRequestHeader(name) || name === "x-request-id" || (beginsSession && name === SESSION_HEADER)) continue;
    // Bun accepts a DEL in a value. A relay that got a head with one would close its link.
    if (isHeaderValue(value)) pairs.push([name, value]);
  }
  return pairs;
}

/** Returns the answer's headers that the client gets. */
export function toClientHeaders(pairs: HeaderPairs, requestId: string): Headers {
  const headers = new Headers();
  for (const [name, value] of pairs) {
    const lower = name.toLowerCase();
    if (isMcpAnswerHeader(lower)) headers.append(lower, value);
  }
  headers.set("x-request-id", requestId);
  headers.set("x-content-type-options", "nosniff");
  // A browser must not turn an answer into a page of this origin, whatever type it claims.
  headers.set("content-security-policy", "sandbox");
  return headers;
}
