import { startFixture } from "./mcp-rig.ts";
import { McpServer } from "./mcp-server.ts";
import { API_KEY } from "./test-server.ts";
import { startTestWorker } from "./test-worker.ts";

/** A server that is the authorization server of a relay in front of the MCP server of the official suite. */
export interface ConnectorRig {
  readonly server: McpServer;
  /** The relay's URL for clients. */
  readonly url: URL;
  /** A key with which people let clients in. */
  readonly key: string;
  stop(): Promise<void>;
}

export async function startConnectorRig(id = "tools"): Promise<ConnectorRig> {
  const fixture = await startFixture();
  const server = new McpServer();
  const relay = startTestWorker({
    kinds: ["mcp"],
    server: server.url,
    id,
    mcpUrl: fixture.url,
    mcpAccess: "connector",
    drainTimeoutMs: 0,
  });
  await relay.registered;
  return {
    server,
    url: new URL(`${server.url}/api/mcp/id/${id}/mcp`),
    key: API_KEY,
    async stop() {
      await relay.stop();
      await server.stop();
      await fixture.stop();
    },
  };
}
