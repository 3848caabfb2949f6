import type { Deps } from "../../system/deps.ts";
import type { ProxyChoice } from "../outgoing-proxy.ts";
import { childEnv } from "./bridge/child-env.ts";
import type { PeerSource } from "./bridge/peer.ts";
import type { SessionLimits } from "./bridge/sessions.ts";
import { createStdioBridge } from "./bridge/stdio-bridge.ts";
import { UpstreamHealth } from "./health.ts";
import { httpPeers } from "./hub/http-peer.ts";
import type { McpServer } from "./mcp-server.ts";
import { createUrlUpstream, type Upstream } from "./url-upstream.ts";

export interface OpenOptions {
  /** The environment of child processes, before the worker's secrets are removed. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly proxyFor: ProxyChoice;
  readonly limits: SessionLimits;
  readonly deps: Deps;
}

/**
 * An MCP server that is open, once in a worker: its relay and the hub share it, so that a program that can run only once runs
 * only once.
 */
export interface OpenServer extends PeerSource {
  /** What its relay serves, in Streamable HTTP. */
  readonly upstream: Upstream;
  readonly health: UpstreamHealth;
}

/** Opens a server that is not several behind one URL. */
export function openServer({ source, access }: McpServer, { env, proxyFor, limits, deps }: OpenOptions): OpenServer {
  const health = new UpstreamHealth();
  if (source.kind === "hub") throw new Error("several servers are opened one by one");
  if (source.kind === "url") {
    const isOauth = access.kind === "oauth";
    const upstream = createUrlUpstream({ ...source, isOauth, proxy: proxyFor(source.url), limits, health, deps });
    return { upstream, health, ...httpPeers(upstream, deps.clock) };
  }
  const { command, args, directory, sharing, withheld } = source;
  // An entry of the program's own wins, and is the only way for it to get a variable that is withheld.
  const childrensEnv = { ...childEnv(env, withheld), ...source.env };
  const upstream = createStdioBridge({ command, args, directory, env: childrensEnv, sharing, limits, health, deps });
  return { upstream, health, openPeer: upstream.openPeer, maybeStateless: upstream.maybeStateless };
}
