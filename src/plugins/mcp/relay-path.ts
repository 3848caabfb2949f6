/** The place at its relay that a request goes to. */
export interface RelayPath {
  /** The path for the relay: `/`, which is the MCP endpoint, with the query. */
  readonly path: string;
  /** The text after the id in the URL by which the client knows the relay: nothing, or `/mcp`. */
  readonly alias: "" | "/mcp";
}

/**
 * Finds the place that a request goes to; `rest` is its path below the relay's URL. A relay has one place, the endpoint
 * of its MCP server. `/mcp` stands for it too, since some clients recognize an MCP server by it. Returns undefined for
 * any other path: a caller must not reach the rest of the host behind the relay.
 */
export function toRelayPath(rest: string, url: string): RelayPath | undefined {
  const found = /^\/?(mcp\/?)?$/.exec(rest);
  if (!found) return undefined;
  const query = url.indexOf("?");
  return { path: query < 0 ? "/" : `/${url.slice(query)}`, alias: found[1] === undefined ? "" : "/mcp" };
}
