/** The transport's own headers; some are named by a server's tools, so that they cannot be listed. */
const OF_TRANSPORT = "mcp-";

/** What an MCP server needs to know of a request. Anything else is about the way to it, or is the client's business elsewhere. */
const OF_REQUEST = new Set([
  "accept",
  "accept-language",
  "content-type",
  "last-event-id",
  // The relay's business, which compares it with its own token, or its server's, which it was issued for.
  "authorization",
  "user-agent",
  "traceparent",
  "tracestate",
  "baggage",
  "x-request-id",
]);

/** What an MCP client needs to know of an answer; cookies, redirects and CORS are the public server's to decide. */
const OF_ANSWER = new Set([
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

// Both ends of the tunnel ask: neither trusts the other to have kept to the lists.

/** Whether a request's header travels to the MCP server. Takes the name in lower case. */
export function isMcpRequestHeader(name: string): boolean {
  return OF_REQUEST.has(name) || name.startsWith(OF_TRANSPORT);
}

/** Whether an answer's header travels to the client. Takes the name in lower case. */
export function isMcpAnswerHeader(name: string): boolean {
  return OF_ANSWER.has(name) || name.startsWith(OF_TRANSPORT);
}
