import type { McpPorts } from "./call.ts";
import type { Relay } from "./relays.ts";

/**
 * Returns the URL by which this client knows the MCP server, for which OAuth issues its tokens. Undefined unless clients sign
 * in with the MCP server itself.
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
