import type { McpPorts } from "./call.ts";
import type { Relay } from "./relays.ts";

/**
 * The URL by which this client knows the MCP server: what OAuth issues tokens for. Undefined unless the relay leaves
 * signing in to its MCP server.
 */
export function resourceOf(
  { names, listener }: Pick<McpPorts, "names" | "listener">,
  { session }: Relay,
  request: Request,
  alias: "" | "/mcp",
): string | undefined {
  if (session.worker.hostInfo["auth"] !== "oauth" || session.dialect !== "native") return undefined;
  const origin = names.originOf(request, () => listener.addressOf(request));
  return origin === undefined ? undefined : `${origin}/api/mcp/id/${session.worker.id}${alias}`;
}
