import { isPathSegment } from "../../http/path-segment.ts";

/** The place below its relay's URL that a request goes to. */
export interface RelayPath {
  /** The path for the relay, with the query: empty, or with a leading slash. */
  readonly path: string;
  /** The text after the id in the URL by which the client knows the relay: nothing, or `/mcp`. */
  readonly alias: "" | "/mcp";
}

/**
 * Finds the place that a request goes to; `rest` is its path below the relay's URL. `/mcp` stands for that URL itself, since
 * some clients recognize an MCP server by it. Returns undefined for a path that could lead anywhere else.
 */
export function toRelayPath(rest: string, url: string): RelayPath | undefined {
  const segments = rest.split("/").filter((segment) => segment !== "");
  const isSafe = segments.every((segment) => isPathSegment(segment) && !/%(?:2[ef5]|5c|00)/i.test(segment));
  if (!isSafe) return undefined;
  const isAlias = segments.length === 1 && segments[0] === "mcp";
  const path = segments.length === 0 || isAlias ? "" : `/${segments.join("/")}`;
  const query = url.indexOf("?");
  return {
    path: query < 0 ? path : `${path === "" ? "/" : path}${url.slice(query)}`,
    alias: isAlias ? "/mcp" : "",
  };
}
