import { isLoopback } from "../system/loopback.ts";
import { isId } from "../wire/names.ts";

/** The relay that a protected resource's URL stands for. */
export interface RelayResource {
  readonly origin: string;
  readonly relayId: string;
}

/** The URLs of one relay. A token for one of them is good for the other: both lead to the same MCP server. */
export function resourcesOf({ origin, relayId }: RelayResource): readonly [string, string] {
  const url = `${origin}/api/mcp/id/${relayId}`;
  return [url, `${url}/mcp`];
}

/**
 * Returns whether people can sign in at an origin. OAuth demands https, since tokens must not be sent in the open. This machine's own
 * names do without.
 */
export function isUsableOrigin(origin: string): boolean {
  const url = URL.parse(origin);
  return url !== null && (url.protocol === "https:" || (url.protocol === "http:" && isLoopback(url.hostname)));
}

/** Reads the URL of a relay, whatever query it has; undefined for any other text. */
export function readResource(text: string): RelayResource | undefined {
  const url = text.length > MAX_CHARS ? null : URL.parse(text);
  const relayId = url === null ? undefined : /^\/api\/mcp\/id\/([^/]+)(?:\/mcp)?$/.exec(url.pathname)?.[1];
  return url === null || relayId === undefined || !isId(relayId) ? undefined : { origin: url.origin, relayId };
}

/** Enough for a long host name, an id of 128 characters and a query. */
const MAX_CHARS = 2048;
