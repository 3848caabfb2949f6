import { afterEach, describe, expect, test } from "bun:test";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { readServersFile } from "../../../src/worker/mcp/servers-file.ts";
import { listingServer } from "../../support/hub-rig.ts";
import { McpServer } from "../../support/mcp-server.ts";
import { startTestWorker } from "../../support/test-worker.ts";

const running: { stop(): unknown }[] = [];
afterEach(async () => {
  for (const each of running.splice(0).reverse()) await each.stop();
});

/** Serves a file by a worker; returns the server and what the worker printed. */
async function serve(file: object, env: Readonly<Record<string, string>> = {}) {
  const server = new McpServer();
  running.push(server);
  const { servers, faults } = readServersFile("mcp.json", { env, readFile: () => JSON.stringify(file) });
  expect(faults).toEqual([]);
  const printed: string[] = [];
  const worker = startTestWorker(
    { kinds: ["mcp"], server: server.url, relays: servers, drainTimeoutMs: 0 },
    { print: (text) => printed.push(text), env: { PATH: process.env["PATH"] } },
  );
  running.push(worker);
  const ids = await worker.registered;
  return { server, printed, ids };
}

async function connect(
  server: McpServer,
  id: string,
  {
    token,
    mode = "legacy",
  }: { readonly token?: string; readonly mode?: "legacy" | { readonly pin: "2026-07-28" } } = {},
): Promise<Client> {
  const client = new Client({ name: "test", version: "1" }, { versionNegotiation: { mode } });
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const url = new URL(`${server.url}/api/mcp/id/${id}/mcp`);
  await client.connect(new StreamableHTTPClientTransport(url, { requestInit: { headers } }));
  running.push({ stop: () => client.close() });
  return client;
}

async function toolsOf(client: Client): Promise<readonly string[]> {
  return (await client.listTools()).tools.map(({ name }) => name);
}

async function textOf(client: Client, name: string, given: Readonly<Record<string, unknown>> = {}): Promise<string> {
  const { content } = await client.callTool({ name, arguments: given });
  const [first] = content;
  return first?.type === "text" ? first.text : "";
}

const SERVERS = {
  files: { ...listingServer("files"), id: "files" },
  notes: { ...listingServer("notes"), id: "notes" },
};
const MODES = [
  ["sessions", "legacy"],
  ["no sessions", { pin: "2026-07-28" }],
] as const;

test("one URL is added to those of the servers, which stay as they are", async () => {
  const { server, printed, ids } = await serve({ mcpServers: SERVERS, one_url: "team" });
  expect([...ids].sort()).toEqual(["files", "notes", "team"]);
  expect(printed.join("\n")).toContain("MCP clients reach all of files, notes at");
  expect(await toolsOf(await connect(server, "files"))).toContain("read");
  const team = await toolsOf(await connect(server, "team"));
  expect(team).toContain("files__read");
  expect(team).toContain("notes__read");
});

test("the servers have no URLs of their own if only the one is wanted", async () => {
  const { ids } = await serve({ mcpServers: SERVERS, one_url: { id: "team", only: true } });
  expect(ids).toEqual(["team"]);
});

test("one URL has a token of its own, and its callers get what the file's lists leave", async () => {
  const file = {
    mcpServers: { files: { ...listingServer("files"), tools: ["read", "seen"] }, notes: listingServer("notes") },
    one_url: { id: "team", only: true, auth_token_env: "TEAM_TOKEN", tools: ["!notes__crash", "*__read", "*__seen"] },
  };
  const token = "0123456789abcdef0123456789abcdef";
  const { server } = await serve(file, { TEAM_TOKEN: token });
  await expect(connect(server, "team")).rejects.toThrow();
  const client = await connect(server, "team", { token });
  expect(await toolsOf(client)).toEqual(["files__read", "files__seen", "notes__read", "notes__seen"]);
  for (const name of ["files__crash", "notes__crash"])
    await expect(client.callTool({ name })).rejects.toThrow("Unknown tool");
  expect(await textOf(client, "notes__read", { text: "a" })).toBe('read of notes: {"text":"a"}');
});

describe.each(MODES)("a search for a client with %s", (_name, mode) => {
  test("lists two tools, finds the others, and calls them", async () => {
    const { server } = await serve({ mcpServers: SERVERS, one_url: { id: "team", tool_search: true } });
    const client = await connect(server, "team", { mode });
    expect(await toolsOf(client)).toEqual(["find_tools", "call_tool"]);
    const found = JSON.parse(await textOf(client, "find_tools", { query: "read notes", limit: 2 }));
    expect(found.tools[0]).toMatchObject({ name: "notes__read", inputSchema: { type: "object" } });
    expect(found.tools).toHaveLength(2);
    expect(await textOf(client, "call_tool", { name: "notes__read", arguments: { text: "a" } })).toBe(
      'read of notes: {"text":"a"}',
    );
    expect(await textOf(client, "find_tools", { query: "weather" })).toContain("files (9), notes (9)");
    await expect(client.callTool({ name: "call_tool", arguments: {} })).rejects.toThrow("call_tool takes the name");
  });

  test("leaves a short list as it is if it is automatic, and replaces a long one", async () => {
    const one_url = { id: "team", tool_search: "auto" };
    const short = await serve({ mcpServers: SERVERS, one_url });
    expect(await toolsOf(await connect(short.server, "team", { mode }))).toHaveLength(18);
    const long = await serve({ mcpServers: { files: listingServer("files", "tools=100", "paged") }, one_url });
    expect(await toolsOf(await connect(long.server, "team", { mode }))).toEqual(["find_tools", "call_tool"]);
  });

  test("finds and calls nothing that its caller may not use", async () => {
    const one_url = { id: "team", only: true, tool_search: true, tools: ["*__read"] };
    const { server } = await serve({ mcpServers: SERVERS, one_url });
    const client = await connect(server, "team", { mode });
    const found = JSON.parse(await textOf(client, "find_tools", { query: "crash read files notes", limit: 25 }));
    expect(found.tools.map(({ name }: { name: string }) => name).sort()).toEqual(["files__read", "notes__read"]);
    await expect(client.callTool({ name: "call_tool", arguments: { name: "notes__crash" } })).rejects.toThrow();
    expect(await textOf(client, "call_tool", { name: "files__read" })).toBe("read of files: {}");
  });

  test("reports the progress of a tool that it calls", async () => {
    const { server } = await serve({ mcpServers: SERVERS, one_url: { id: "team", tool_search: true } });
    const client = await connect(server, "team", { mode });
    const heard: number[] = [];
    const call = { name: "call_tool", arguments: { name: "files__progress" } };
    await client.callTool(call, { onprogress: ({ progress }) => heard.push(progress) });
    expect(heard).toEqual([1, 2]);
  });
});
