/**
 * The methods of revisions with sessions that revision 2026-07-28 does not have: the handshake, the session's own
 * requests, and the requests of a server to its client, which now travel inside results. `tasks/…` is an extension of
 * that revision and not listed.
 */
const REMOVED: ReadonlySet<string> = new Set([
  "initialize",
  "notifications/initialized",
  "ping",
  "logging/setLevel",
  "resources/subscribe",
  "resources/unsubscribe",
  "notifications/roots/list_changed",
  "notifications/elicitation/complete",
  "roots/list",
  "sampling/createMessage",
  "elicitation/create",
]);

/**
 * Returns whether stateless revisions lack a method that revisions with sessions have. Such a message must not reach the
 * process that all clients share: servers of the official Python SDK choose their era by it, for good.
 */
export function isRemoved(method: string): boolean {
  return REMOVED.has(method);
}
