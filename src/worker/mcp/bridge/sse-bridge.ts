import type { Deps } from "../../../system/deps.ts";
import type { HeaderPairs } from "../../../wire/heads.ts";
import { UpstreamHealth } from "../health.ts";
import { type Bridge, createBridge } from "./bridge.ts";
import type { SessionLimits } from "./sessions.ts";
import { SsePeer } from "./sse-peer.ts";
import { watchedPeer } from "./watched-peer.ts";

export interface SseBridgeOptions {
  /** The URL of the event stream, which names the URL for messages. */
  readonly url: string;
  /** Headers that every request to the server gets. */
  readonly headers?: HeaderPairs;
  /** The proxy on the way to it; none unless given. */
  readonly proxy?: string | false;
  readonly limits: SessionLimits;
  readonly health?: UpstreamHealth;
  readonly deps: Deps;
}

/** Bridges to an MCP server that speaks HTTP+SSE, the transport of 2024-11-05, with one connection per session. */
export function createSseBridge({
  url,
  headers = [],
  proxy = false,
  limits,
  health = new UpstreamHealth(),
  deps,
}: SseBridgeOptions): Bridge {
  const { clock, log } = deps;
  return createBridge({
    openPeer: watchedPeer((events) => new SsePeer({ url, headers, proxy, clock, log, ...events }), health),
    maybeStateless: false,
    limits,
    deps,
  });
}
