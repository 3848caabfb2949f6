import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import { CreateMessageRequestSchema, ListRootsRequestSchema } from "@modelcontextprotocol/sdk/types.js";
import { eventually } from "../../support/eventually.ts";
import { McpRig } from "../../support/mcp-rig.ts";
import { McpServer } from "../../support/mcp-server.ts";
import { CLIENT_KEY } from "../../support/test-server.ts";

// Programs from npm that people use at either end of a relay, each in its own process. All of them run on this very
// Bun, and none needs Node.

const ROOT = join(import.meta.dir, "../../..");
const INSPECTOR = join(ROOT, "node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js");
const MCP_REMOTE = join(ROOT, "node_modules/mcp-remote/dist/proxy.js");
const EVERYTHING = join(ROOT, "node_modules/@modelcontextprotocol/server-everything/dist/index.js");
/** Timeout of a program, which starts within a second or two, and slower on a busy machine. */
const TIMEOUT_MS = 30_000;

const home = mkdtempSync(join(tmpdir(), "moorage-programs-"));
/** An environment in which programs read and write none of the user's files, such as sign-ins with other servers. */
const env = { PATH: process.env["PATH"] ?? "", HOME: home, MCP_REMOTE_CONFIG_DIR: home, NO_COLOR: "1" };

const running: { stop(): unknown }[] = [];
afterAll(async () => {
  for (const each of running.splice(0).reverse()) await each.stop();
  rmSync(home, { recursive: true });
});

/** Runs the Inspector's command line to its end and returns the JSON that it printed. */
async function inspect(url: URL, ...args: readonly string[]): Promise<unknown> {
  const child = Bun.spawn([process.execPath, INSPECTOR, "--cli", url.href, "--transport", "http", ...args], {
    cwd: home,
    env,
    stdio: ["ignore", "pipe", "pipe"],
    timeout: TIMEOUT_MS,
  });
  const [said, complained] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  if (child.exitCode !== 0) throw new Error(`the Inspector ended with ${child.exitCode}: ${complained}`);
  return JSON.parse(said);
}

/** Matches a list of tools that contains this one. */
function toolsWith(name: string): object {
  return { tools: expect.arrayContaining([expect.objectContaining({ name })]) };
}

describe("in front of an MCP server on HTTP", () => {
  let rig: McpRig;
  beforeAll(async () => {
    rig = await McpRig.start();
    running.push(rig);
  });

  test(
    "the Inspector's command line lists and calls tools, stateful and stateless",
    async () => {
      const call = ["--method", "tools/call", "--tool-name", "smoke_echo", "--tool-arg", "text=ahoy ⚓"];
      const [listed, ...called] = await Promise.all([
        inspect(rig.url, "--method", "tools/list"),
        inspect(rig.url, ...call, "--protocol-era", "legacy"),
        inspect(rig.url, ...call, "--protocol-era", "modern"),
      ]);
      expect(listed).toMatchObject(toolsWith("smoke_echo"));
      for (const result of called) expect(result).toMatchObject({ content: [{ type: "text", text: "ahoy ⚓" }] });
    },
    TIMEOUT_MS,
  );

  test(
    "mcp-remote is a stdio server that lists, calls and reports progress",
    async () => {
      const transport = new StdioClientTransport({
        command: process.execPath,
        args: [MCP_REMOTE, rig.url.href, "--allow-http", "--transport", "http-only"],
        env,
        cwd: home,
        stderr: "ignore",
      });
      const client = new Client({ name: "test", version: "1" });
      try {
        await client.connect(transport);
        expect((await client.listTools()).tools.map(({ name }) => name)).toContain("smoke_long");
        // Observed before the SDK, which over stdio may report a result before progress from the same read.
        const came: unknown[] = [];
        const { onmessage } = transport;
        transport.onmessage = (message) => {
          came.push("method" in message ? message.params?.["progress"] : "the result");
          onmessage?.(message);
        };
        const params = { name: "smoke_long", arguments: { steps: 3, delayMs: 5 } };
        const { content } = await client.callTool(params, undefined, { onprogress: () => {} });
        expect(content).toEqual([{ type: "text", text: "finished 3" }]);
        expect(came).toEqual([1, 2, 3, "the result"]);
      } finally {
        await client.close();
      }
    },
    TIMEOUT_MS,
  );
});

describe("a stdio server from npm, started by the worker program, at the printed URL,", () => {
  let url: URL;
  beforeAll(async () => {
    const server = new McpServer();
    running.push(server);
    const worker = startProgram(server.url);
    running.push(worker);
    url = await worker.url;
    expect(url.href).toStartWith(`${server.url}/api/mcp/id/`);
  }, TIMEOUT_MS);

  test(
    "is listed and called by the Inspector's command line",
    async () => {
      const call = ["--method", "tools/call", "--tool-name", "echo", "--tool-arg", "message=ahoy ⚓"];
      const [listed, called] = await Promise.all([inspect(url, "--method", "tools/list"), inspect(url, ...call)]);
      expect(listed).toMatchObject(toolsWith("echo"));
      expect(called).toMatchObject({ content: [{ type: "text", text: "Echo: ahoy ⚓" }] });
    },
    TIMEOUT_MS,
  );

  test(
    "reports progress to the SDK's client, and asks for its model and its roots",
    async () => {
      const client = new Client({ name: "test", version: "1" }, { capabilities: { sampling: {}, roots: {} } });
      client.setRequestHandler(CreateMessageRequestSchema, () => ({
        model: "m",
        role: "assistant",
        content: { type: "text", text: "a buoy" },
      }));
      client.setRequestHandler(ListRootsRequestSchema, () => ({ roots: [{ uri: "file:///harbour" }] }));
      const call = async (name: string, args: Record<string, unknown> = {}): Promise<string> =>
        JSON.stringify((await client.callTool({ name, arguments: args })).content);
      try {
        // The SDK's class says `sessionId?: string | undefined` where its interface says `sessionId?: string`.
        await client.connect(new StreamableHTTPClientTransport(url) as Transport);
        const heard: number[] = [];
        const long = { name: "trigger-long-running-operation", arguments: { duration: 0.1, steps: 3 } };
        await client.callTool(long, undefined, { onprogress: ({ progress }) => heard.push(progress) });
        expect(heard).toEqual([1, 2, 3]);
        expect(await call("trigger-sampling-request", { prompt: "What floats?" })).toContain("a buoy");
        // The server asks by itself shortly after the session has begun.
        await eventually(async () => (await call("get-roots-list")).includes("file:///harbour"), "it knows the roots");
      } finally {
        await client.close();
      }
    },
    TIMEOUT_MS,
  );
});

/** Starts the worker program with one command; returns the URL that it prints. */
function startProgram(server: string): { readonly url: Promise<URL>; stop(): Promise<void> } {
  const command = `'${process.execPath}' '${EVERYTHING}'`;
  const child = Bun.spawn([process.execPath, "src/worker/main.ts", "mcp", "--server", server, "--stdio", command], {
    cwd: ROOT,
    env: { ...env, CLIENT_KEY },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const printed = Promise.withResolvers<URL>();
  const read = async (): Promise<void> => {
    let said = "";
    for await (const bytes of child.stderr) {
      said += Buffer.from(bytes).toString();
      const url = /(http:\/\/\S+\/api\/mcp\/id\/\S+)\s/.exec(said)?.[1];
      if (url !== undefined) printed.resolve(new URL(url));
    }
    printed.reject(new Error(`the worker program ended: ${said}`));
  };
  read().catch(printed.reject);
  return {
    url: printed.promise,
    async stop() {
      child.kill();
      await child.exited;
    },
  };
}
