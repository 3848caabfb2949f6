import { join } from "node:path";
import { systemClock } from "../../src/system/clock.ts";
import type { Clock } from "../../src/system/deps.ts";
import { systemIds } from "../../src/system/ids.ts";
import { silentLog } from "../../src/system/log.ts";
import type { Bridge } from "../../src/worker/mcp/bridge/bridge.ts";
import type { ToolSearch } from "../../src/worker/mcp/mcp-server.ts";
import { OpenServers } from "../../src/worker/mcp/open-servers.ts";
import { readServersFile } from "../../src/worker/mcp/servers-file.ts";
import { LIMITS } from "./bridge-client.ts";

const SERVER = join(import.meta.dir, "listing-mcp-server.ts");

/** A servers file's entry for a small server with lists of everything. */
export function listingServer(name: string, ...words: readonly string[]): object {
  return { command: process.execPath, args: [SERVER, name, ...words] };
}

/** Opens a hub in front of the servers of a file, without a relay. */
export function hubOf(
  mcpServers: Readonly<Record<string, object>>,
  { clock = systemClock, toolSearch = "false" }: { readonly clock?: Clock; readonly toolSearch?: ToolSearch } = {},
): Bridge & { stop(): Promise<void> } {
  const oneUrl = { id: "team", isOnly: true, toolSearch, access: { kind: "none" } } as const;
  const readFile = (): string => JSON.stringify({ mcpServers });
  const { servers, faults } = readServersFile("mcp.json", { env: {}, readFile }, oneUrl);
  const [hub] = servers;
  if (faults.length > 0 || !hub) throw new Error(faults.join("; "));
  const open = new OpenServers({
    env: { PATH: process.env["PATH"] },
    proxyFor: () => false,
    limits: LIMITS,
    deps: { clock, ids: systemIds, log: silentLog },
  });
  // A hub is a bridge.
  const bridge = open.open(hub).upstream as Bridge;
  return Object.assign(bridge, { stop: () => open.close() });
}
