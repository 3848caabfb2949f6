/** The longest label. Clients can send any path. */
const MAX_CHARS = 128;

/** A segment that may be an id of this server: a transfer channel's is a secret, which MUST NOT appear in logs. */
const ID = /(?<=\/)[\w~-]{20,}(?=\/|$)/g;

/** The path of a request's URL, also where its Host header makes the URL invalid. */
const PATH = /^[^:]+:\/\/[^/?#]*([^?#]*)/;

/**
 * Returns the path of a request for log lines: without its query, cut, and with `*` in place of segments that may be ids.
 */
export function routeOf({ url }: Pick<Request, "url">): string {
  return (PATH.exec(url)?.[1] ?? "").replace(ID, "*").slice(0, MAX_CHARS);
}
