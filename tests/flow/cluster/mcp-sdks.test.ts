import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { Client as ModernClient, StreamableHTTPClientTransport as ModernTransport } from "@modelcontextprotocol/client";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import { ClusterProcesses } from "../../support/cluster-processes.ts";
import { eventually } from "../../support/eventually.ts";
import { lacks, PROGRAMS } from "../../support/lacks.ts";
import { startFixture } from "../../support/mcp-rig.ts";

// The official SDKs of both eras of the specification, at servers that the relay has not dialled.

describe.skipIf(lacks("MCP in a cluster", PROGRAMS.nats))("a relay of one server", () => {
  let cluster: ClusterProcesses;
  const open: { close(): Promise<void> }[] = [];

  beforeAll(async () => {
    cluster = await ClusterProcesses.start();
    const fixture = await startFixture();
    cluster.use(fixture);
    await cluster.worker(0, { kinds: ["mcp"], id: "tools", mcpUrl: fixture.url });
    const isKnown = async (at: number): Promise<boolean> =>
      (await fetch(urlAt(at), { headers: { accept: "text/event-stream" } })).status !== 404;
    for (const at of [1, 2]) await eventually(() => isKnown(at), `server ${at} knows the relay`);
  }, 60_000);
  afterAll(() => cluster.stop());
  afterEach(async () => {
    for (const client of open.splice(0)) await client.close();
  });

  const urlAt = (at: number): URL => new URL(`${cluster.server(at).url}/api/mcp/id/tools/mcp`);

  async function connect(at: number): Promise<Client> {
    const client = new Client({ name: "test", version: "1" });
    open.push(client);
    // The SDK's class says `sessionId?: string | undefined` where its interface says `sessionId?: string`.
    await client.connect(new StreamableHTTPClientTransport(urlAt(at)) as Transport);
    return client;
  }

  async function echo(client: Client, text: string): Promise<string | undefined> {
    const { content } = await client.callTool({ name: "smoke_echo", arguments: { text } });
    return (content as readonly { readonly text?: string }[])[0]?.text; // The SDK types it loosely.
  }

  test.each([0, 1, 2])("serves the SDK of the 2025 era, with a session, at server %d", async (at) => {
    const client = await connect(at);
    expect((await client.listTools()).tools.map(({ name }) => name)).toContain("smoke_echo");
    expect(await echo(client, "船🚢")).toBe("船🚢");
    const large = "é".repeat(150_000);
    expect(await echo(client, large)).toBe(large);
  });

  test.each([0, 1, 2])("serves the SDK of the 2026 era at server %d", async (at) => {
    const client = new ModernClient(
      { name: "test", version: "1" },
      { versionNegotiation: { mode: { pin: "2026-07-28" } } },
    );
    open.push(client);
    await client.connect(new ModernTransport(urlAt(at)));
    expect(client.getNegotiatedProtocolVersion()).toBe("2026-07-28");
    const { content } = await client.callTool({ name: "smoke_echo", arguments: { text: "hello" } });
    expect(content[0]).toMatchObject({ type: "text", text: "hello" });
  });

  test("serves one session at several servers, since its id is the MCP server's own", async () => {
    const transport = new StreamableHTTPClientTransport(urlAt(1));
    const client = new Client({ name: "test", version: "1" });
    open.push(client);
    await client.connect(transport as Transport);
    const headers = {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      "mcp-session-id": transport.sessionId ?? "",
      "mcp-protocol-version": transport.protocolVersion ?? "",
    };
    const call = {
      jsonrpc: "2.0",
      id: 9,
      method: "tools/call",
      params: { name: "smoke_echo", arguments: { text: "again" } },
    };
    for (const at of [0, 2]) {
      const response = await fetch(urlAt(at), { method: "POST", headers, body: JSON.stringify(call) });
      expect(response.status).toBe(200);
      expect(await response.text()).toContain('"again"');
    }
  });
});
