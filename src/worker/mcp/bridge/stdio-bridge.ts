import type { Deps } from "../../../system/deps.ts";
import { UpstreamHealth } from "../health.ts";
import type { Sharing } from "../mcp-server.ts";
import { type Bridge, type BridgeOptions, createBridge } from "./bridge.ts";
import type { PeerSource } from "./peer.ts";
import { Reaper } from "./reaper.ts";
import type { SessionLimits } from "./sessions.ts";
import { SharedProcess } from "./shared-process.ts";
import { StdioChild } from "./stdio-child.ts";
import { watchedPeer } from "./watched-peer.ts";

export interface StdioBridgeOptions {
  /** A program if there are arguments, else a line for the shell. */
  readonly command: string;
  readonly args?: readonly string[] | undefined;
  /** The working directory; undefined: this program's own. */
  readonly directory?: string | undefined;
  readonly env: Readonly<Record<string, string>>;
  readonly sharing: Sharing;
  readonly limits: SessionLimits;
  readonly health?: UpstreamHealth;
  readonly deps: Deps;
}

/** A bridge that shares its processes with who opens peers of its own. They end when the bridge is closed, or before. */
export type StdioBridge = Bridge & PeerSource;

/**
 * Bridges to an MCP server that speaks stdio: one process per session, and one for all requests without a session. A shared
 * server has one process in all, which is of the era with sessions, because nearly every client speaks that one.
 */
export function createStdioBridge(options: StdioBridgeOptions): StdioBridge {
  const { command, args, directory, env, sharing, limits, health = new UpstreamHealth(), deps } = options;
  const { clock, log } = deps;
  const reaper = new Reaper(env["PATH"]);
  const watchGroup = (group: number): (() => void) => reaper.watch(group);
  const openPeer = watchedPeer(
    (events) => new StdioChild({ command, args, directory, env, watchGroup, clock, log, ...events }),
    health,
  );
  if (sharing === "none") {
    const closeShared = async (): Promise<void> => reaper.close();
    return withPeers({ openPeer, maybeStateless: true, limits, closeShared, deps });
  }
  const shared = new SharedProcess({ openPeer, isSerial: sharing === "serial", idleMs: limits.idleMs, clock });
  return withPeers({
    openPeer: (events) => shared.join(events),
    maybeStateless: false,
    limits,
    async closeShared() {
      await shared.close();
      reaper.close();
    },
    deps,
  });
}

function withPeers(options: BridgeOptions): StdioBridge {
  const bridge = createBridge(options);
  return Object.assign(bridge, { openPeer: options.openPeer, maybeStateless: options.maybeStateless });
}
