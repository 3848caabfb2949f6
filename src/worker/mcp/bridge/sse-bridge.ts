import type { Deps } from "../../../system/deps.ts";
import { type Bridge, createBridge } from "./bridge.ts";
import { SsePeer } from "./sse-peer.ts";

export interface SseBridgeOptions {
  /** Where the event stream is; where messages go, the stream says. */
  readonly url: string;
  readonly deps: Deps;
}

/** An MCP server that speaks HTTP+SSE, the transport of 2024-11-05: one connection to it for each session. */
export function createSseBridge({ url, deps }: SseBridgeOptions): Bridge {
  const { clock, log } = deps;
  return createBridge({
    openPeer: (events) => new SsePeer({ url, clock, log, ...events }),
    maybeStateless: false,
    deps,
  });
}
