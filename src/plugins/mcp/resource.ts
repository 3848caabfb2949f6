import type { Visit } from "../../http/visit.ts";
import type { PublicNames } from "./public-names.ts";
import type { Relay } from "./relays.ts";

/**
 * Returns the URL by which this client knows the MCP server, for which OAuth issues its tokens. Undefined unless clients sign
 * in with the MCP server itself.
 */
export function resourceOf(names: PublicNames, relay: Relay, visit: Visit, alias: "" | "/mcp"): string | undefined {
  return takesResource(relay) ? publicUrlOf(names, relay.session.worker.id, visit, alias) : undefined;
}

/** Whether clients of a relay sign in with the MCP server itself, so that their tokens are issued for its public URL. */
export function takesResource({ session }: Pick<Relay, "session">): boolean {
  return session.worker.hostInfo["auth"] === "oauth" && session.dialect === "native";
}

/** Returns the URL by which this client knows a relay; undefined if its name for this server is not known. */
export function publicUrlOf(names: PublicNames, relayId: string, visit: Visit, alias: "" | "/mcp"): string | undefined {
  const origin = names.originOf(visit);
  return origin === undefined ? undefined : `${origin}/api/mcp/id/${relayId}${alias}`;
}
