/** Where below its relay's URL a request goes. */
export interface RelayPath {
  /** For the relay, with the query: empty or with a leading slash. */
  readonly path: string;
  /** What the client's name for the relay has behind the id: nothing, or `/mcp`. */
  readonly alias: "" | "/mcp";
}

/** Segments of a path that is passed on: what URLs hold, and no way up or out. */
const SEGMENT = /^[A-Za-z0-9._~:@!$&'()*+,;=%-]+$/;

/**
 * `rest` is what stands behind the relay's URL. `/mcp` is a name for the URL itself, by which some clients know what it
 * is. Undefined for a path that could lead anywhere else.
 */
export function toRelayPath(rest: string, url: string): RelayPath | undefined {
  const segments = rest.split("/").filter((segment) => segment !== "");
  const isSafe = segments.every(
    (segment) => SEGMENT.test(segment) && !/^\.{1,2}$/.test(segment) && !/%(?:2[ef5]|5c|00)/i.test(segment),
  );
  if (!isSafe) return undefined;
  const isAlias = segments.length === 1 && segments[0] === "mcp";
  const path = segments.length === 0 || isAlias ? "" : `/${segments.join("/")}`;
  const query = url.indexOf("?");
  return {
    path: query < 0 ? path : `${path === "" ? "/" : path}${url.slice(query)}`,
    alias: isAlias ? "/mcp" : "",
  };
}
