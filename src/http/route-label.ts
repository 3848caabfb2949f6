/** The longest label. Clients can send any path. */
const MAX_CHARS = 128;

/** A segment that may be an id of this server: a transfer channel's is a secret, which MUST NOT appear in logs. */
const ID = /(?<=\/)[\w~-]{20,}(?=\/|$)/g;

/** The path of a request's URL, also where its Host header makes the URL invalid. */
const PATH = /^[^:]+:\/\/[^/?#]*([^?#]*)/;

/** The last URL and its label. Most requests of a server go to one URL, and each of them has a log line. */
const last = { url: "", label: "" };

/**
 * Returns the path of a request for log lines: without its query, cut, and with `*` in place of segments that may be ids.
 */
export function routeOf({ url }: Pick<Request, "url">): string {
  if (url !== last.url) {
    last.url = url;
    last.label = (PATH.exec(url)?.[1] ?? "").replace(ID, "*").slice(0, MAX_CHARS);
  }
  return last.label;
}
