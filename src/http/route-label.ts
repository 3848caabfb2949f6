/** The longest label. Clients can send any path. */
const MAX_CHARS = 128;

/** A segment that may be an id of this server: a transfer channel's is a secret, which MUST NOT appear in logs. */
const ID = /^[\w~-]{20,}$/;

/**
 * Returns the path of a request for log lines: without its query, cut, and with `*` in place of segments that may be ids.
 */
export function routeOf({ url }: Pick<Request, "url">): string {
  // A Host header that no URL can hold makes the whole URL invalid, and the job that ended all the same must be logged.
  const path = URL.parse(url)?.pathname ?? /^[a-z]+:\/\/[^/]*([^?#]*)/i.exec(url)?.[1] ?? "";
  const label = path
    .split("/")
    .map((segment) => (ID.test(segment) ? "*" : segment))
    .join("/");
  return label.slice(0, MAX_CHARS);
}
