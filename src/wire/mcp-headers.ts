/** Prefix of the transport's own headers. A server's tools name some of them, so they cannot be listed. */
const TRANSPORT_PREFIX = "mcp-";

/**
 * The other headers of a request that an MCP server needs. The rest describe the hops to it, or are meant for other
 * servers.
 */
const REQUEST_HEADERS = new Set([
  "accept",
  "accept-language",
  "content-type",
  "last-event-id",
  // The relay compares it with its own token, or passes it on to the MCP server that it was issued for.
  "authorization",
  "user-agent",
  "traceparent",
  "tracestate",
  "baggage",
  "x-request-id",
]);

/**
 * Headers that the public server writes itself: the body's length, who called, and by which URL. A client's own never
 * pass.
 */
const FORWARDED_HEADERS = new Set(["content-length", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"]);

/** The other headers of an answer that an MCP client needs. Cookies, redirects and CORS are up to the public server. */
const ANSWER_HEADERS = new Set([
  "content-type",
  // A body is passed on as it is encoded, also one that its server compressed without being asked to.
  "content-encoding",
  "cache-control",
  "www-authenticate",
  "retry-after",
  "allow",
  "vary",
  "etag",
  "x-accel-buffering",
]);

/** The method whose POST is answered with an event stream that only listens: the stateless era's counterpart of a GET. */
export const LISTEN_METHOD = "subscriptions/listen";

// Both ends of the tunnel filter: neither trusts the other to have kept to the lists.

/** Whether a client's header is passed on to the MCP server. `name` must be in lower case. */
export function isMcpRequestHeader(name: string): boolean {
  return REQUEST_HEADERS.has(name) || name.startsWith(TRANSPORT_PREFIX);
}

/** Whether a header is one in which the public server describes a request. `name` must be in lower case. */
export function isForwardedHeader(name: string): boolean {
  return FORWARDED_HEADERS.has(name);
}

/** Whether an answer's header is passed on to the client. `name` must be in lower case. */
export function isMcpAnswerHeader(name: string): boolean {
  return ANSWER_HEADERS.has(name) || name.startsWith(TRANSPORT_PREFIX);
}
