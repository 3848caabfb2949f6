import { afterEach, expect, test } from "bun:test";
import { join } from "node:path";
import { processesOf, smallServer } from "../../support/bridge-client.ts";
import { eventually } from "../../support/eventually.ts";
import { McpServer } from "../../support/mcp-server.ts";
import { CLIENT_KEY } from "../../support/test-server.ts";

// The worker program in a process of its own, because it gets killed.

const ROOT = join(import.meta.dir, "../../..");
const mark = `moorage-reaper-test-${process.pid}`;
const VERSION = "2025-11-25";
const running: { stop(): Promise<void> }[] = [];

afterEach(async () => {
  for (const each of running.splice(0).reverse()) await each.stop();
});

/** Starts the worker with a program that ignores the end of its input and SIGTERM. */
async function startStubborn(): Promise<Bun.Subprocess> {
  const server = new McpServer();
  running.push(server);
  const argv = ["mcp", "--server", server.url, "--id", "tools", "--stdio", smallServer(mark)];
  const worker = Bun.spawn([process.execPath, "src/worker/main.ts", ...argv], {
    cwd: ROOT,
    env: { PATH: process.env["PATH"] ?? "", CLIENT_KEY },
    stdio: ["ignore", "ignore", "ignore"],
  });
  running.push({
    async stop() {
      worker.kill("SIGKILL");
      await worker.exited;
    },
  });
  await eventually(async () => (await server.mcpState()).relays.length === 1, "the relay is connected", 20_000);
  const params = { protocolVersion: VERSION, capabilities: {}, clientInfo: { name: "c", version: "1" } };
  const opening = await server.rpc({ jsonrpc: "2.0", id: 0, method: "initialize", params });
  const headers = { "mcp-session-id": opening.headers.get("mcp-session-id") ?? "", "mcp-protocol-version": VERSION };
  const call = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "stubborn" } };
  expect(await (await server.rpc(call, { headers })).text()).toContain("stubborn");
  return worker;
}

test("a worker that is killed leaves no process behind, not even one that ignores the end of its input", async () => {
  const worker = await startStubborn();
  // The worker has the mark in its own command line.
  if (process.platform === "linux") expect(processesOf(mark)).toBeGreaterThan(1);
  worker.kill("SIGKILL");
  await worker.exited;
  await eventually(() => processesOf(mark) === 0, "all of them have ended", 20_000);
}, 45_000);
