import type { Deps } from "../../../system/deps.ts";
import type { PeerSource } from "../bridge/peer.ts";
import type { Upstream } from "../url-upstream.ts";

export function httpPeers(_upstream: Upstream, _deps: Deps): PeerSource {
  throw new Error("todo");
}
