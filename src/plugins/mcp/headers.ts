import type { HeaderPairs } from "../../tunnel/frame.ts";

/** What an MCP server needs to know of a request. Anything else describes the way here, or the client's business with us. */
const TO_RELAY = new Set([
  "accept",
  "accept-language",
  "content-type",
  "last-event-id",
  // The relay's business, not ours: it compares it with its own token, or its server is the one that it was issued for.
  "authorization",
  "user-agent",
  "traceparent",
  "tracestate",
  "baggage",
]);

/** What an MCP client needs to know of an answer; cookies, redirects and CORS are this server's to decide. */
const TO_CLIENT = new Set([
  "content-type",
  "cache-control",
  "www-authenticate",
  "retry-after",
  "allow",
  "vary",
  "etag",
  "x-accel-buffering",
]);

/** The transport's own headers: some of them are named by a server's tools, so that they cannot be listed. */
const OF_TRANSPORT = "mcp-";

/** The request's headers as the relay gets them. */
export function toRelayHeaders(headers: Headers, requestId: string): HeaderPairs {
  const pairs: [string, string][] = [["x-request-id", requestId]];
  for (const [name, value] of headers) {
    if (TO_RELAY.has(name) || name.startsWith(OF_TRANSPORT)) pairs.push([name, value]);
  }
  return pairs;
}

/** The answer's headers as the client gets them. The relay is not trusted to have kept to the list. */
export function toClientHeaders(pairs: HeaderPairs, requestId: string): Headers {
  const headers = new Headers();
  for (const [name, value] of pairs) {
    const lower = name.toLowerCase();
    if (TO_CLIENT.has(lower) || lower.startsWith(OF_TRANSPORT)) headers.append(lower, value);
  }
  headers.set("x-request-id", requestId);
  headers.set("x-content-type-options", "nosniff");
  // Whatever it says it is, a browser must not make a page of this origin out of it.
  headers.set("content-security-policy", "sandbox");
  return headers;
}
