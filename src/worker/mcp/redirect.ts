/** The redirects that keep the method: 307 and 308 by definition, and 301, which some servers use for a missing slash. */
const KEEPS_METHOD: ReadonlySet<number> = new Set([301, 307, 308]);
/** The redirects that turn a POST into a GET. An MCP server has no use for them; pages where people sign in do. */
const LEADS_ELSEWHERE: ReadonlySet<number> = new Set([302, 303]);

/** The target of a redirect. */
export type Redirect =
  /**
   * Another URL on the same host, to which the request can be sent as it is. `keepsQuery` is false where the server left
   * the request's query out: that query may then have chosen the target.
   */
  | { readonly kind: "moved"; readonly url: string; readonly keepsQuery: boolean }
  /** Any other target. `place` describes it for the operator's log, without its query. */
  | { readonly kind: "elsewhere"; readonly status: number; readonly place: string };

/**
 * Returns the redirect that a response to a request for `url` contains; undefined for any other response. `publicHost` is
 * the host by which the caller knows the server: a server that trusts forwarded headers writes it into its redirects.
 */
export function redirectIn(
  response: Pick<Response, "status" | "headers">,
  url: string,
  publicHost: string | undefined,
): Redirect | undefined {
  const { status } = response;
  const keepsMethod = KEEPS_METHOD.has(status);
  if (!keepsMethod && !LEADS_ELSEWHERE.has(status)) return undefined;
  const location = response.headers.get("location");
  const from = new URL(url);
  const to = location === null ? undefined : URL.parse(location, url);
  if (!to) return { kind: "elsewhere", status, place: "nowhere: the redirect has no valid Location" };
  if (keepsMethod && (to.host === from.host || to.host === publicHost)) {
    // A server behind the relay may write the scheme and the host of the public URL, at which it cannot be reached from
    // here.
    to.protocol = from.protocol;
    to.host = from.host;
    // A host without a port leaves the old port in place, at which another program may listen here.
    to.port = from.port;
    to.username = "";
    to.password = "";
    to.hash = "";
    const keepsQuery = to.search === from.search;
    if (to.search === "") to.search = from.search;
    if (to.href !== from.href) return { kind: "moved", url: to.href, keepsQuery };
  }
  const asWritten = URL.parse(location ?? "", url);
  return { kind: "elsewhere", status, place: asWritten ? `${asWritten.origin}${asWritten.pathname}` : "" };
}
