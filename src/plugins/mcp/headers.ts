import { type HeaderPairs, isHeaderValue } from "../../wire/frame.ts";
import { isMcpAnswerHeader, isMcpRequestHeader } from "../../wire/mcp-headers.ts";

/** Returns the request headers that the relay gets. `x-request-id` is the id that this server uses for the request. */
export function toRelayHeaders(headers: Headers, requestId: string): HeaderPairs {
  const pairs: [string, string][] = [["x-request-id", requestId]];
  for (const [name, value] of headers) {
    // Bun accepts a DEL in a value. A relay that got a head with one would close its link.
    if (isMcpRequestHeader(name) && name !== "x-request-id" && isHeaderValue(value)) pairs.push([name, value]);
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
