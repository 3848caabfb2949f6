import type { Demand } from "./directory.ts";
import type { RemoteChoice, RemoteModels } from "./remotes.ts";

/** The least part of a prompt for which a request goes to another server although a worker of this one has a free slot. */
const LEAST_SHARE = 0.5;

/**
 * Chooses the peer that has the worker which probably knows most of a prompt, if that worker's server has a free slot.
 * Undefined if a worker of this server knows as much, or nobody knows enough: what another server would save then is less
 * than it costs to serve the request where it is not at home. `isOwn` tells whether a session is one of this server.
 */
export function chooseWarmPeer(
  model: string,
  demand: Demand,
  remotes: RemoteModels,
  isOwn: (sessionId: string) => boolean,
): RemoteChoice | undefined {
  if (!demand.affinity || remotes.size === 0) return undefined;
  for (const { sessionId, share, source } of demand.affinity.candidates(model)) {
    if (share < LEAST_SHARE || isOwn(sessionId)) return undefined;
    const choice = remotes.chooseFor(sessionId, model, demand);
    if (choice) return { ...choice, reason: source };
  }
  return undefined;
}
