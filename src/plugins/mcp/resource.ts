import type { Visit } from "../../http/visit.ts";
import type { PublicNames } from "./public-names.ts";
import type { Relay } from "./relays.ts";

/**
 * Returns the URL by which this client knows the MCP server, for which OAuth issues its tokens. Undefined unless clients sign
 * in with the MCP server itself.
 */
export function resourceOf(
  names: PublicNames,
  { session }: Relay,
  visit: Visit,
  alias: "" | "/mcp",
): string | undefined {
  if (session.worker.hostInfo["auth"] !== "oauth" || session.dialect !== "native") return undefined;
  const origin = names.originOf(visit);
  return origin === undefined ? undefined : `${origin}/api/mcp/id/${session.worker.id}${alias}`;
}
