import type { Needs } from "../../pool/able.ts";
import { NONE_EXCLUDED } from "../../pool/excluded.ts";
import type { RemoteNeeds } from "../../pool/remotes.ts";
import type { PeerGroup } from "./peer-group.ts";
import type { PeerWorker, PeerWorkers } from "./peer-workers.ts";

/**
 * Whether a worker of the group may serve a demand. `named` is the worker that the demand names; undefined if it names none,
 * or one that is connected to no peer.
 */
export function isAble(
  group: PeerGroup,
  needs: RemoteNeeds,
  named: PeerWorker | undefined,
  workers: PeerWorkers,
): boolean {
  if (!group.takes(needs)) return false;
  const { workerId, sessionId, excluded } = needs;
  if (sessionId !== undefined) {
    const wished = workers.ofSession(sessionId);
    if (!wished || !isIn(group, wished) || isOut(wished, excluded)) return false;
  }
  if (workerId !== undefined) return named !== undefined && isIn(group, named) && !isOut(named, excluded);
  if (excluded === NONE_EXCLUDED) return true;
  return group.workers > excludedOf(group, excluded, workers);
}

/** Counts the workers of a group that are excluded. */
function excludedOf(group: PeerGroup, excluded: Needs["excluded"], workers: PeerWorkers): number {
  const out = new Set<PeerWorker>();
  for (const session of excluded.sessions) {
    const worker = workers.ofSession(session);
    if (worker && isIn(group, worker)) out.add(worker);
  }
  for (const id of excluded.workers) {
    const worker = workers.find(id);
    if (worker && isIn(group, worker)) out.add(worker);
  }
  return out.size;
}

function isIn(group: PeerGroup, { peer, row }: PeerWorker): boolean {
  return peer === group.peer && row.groups.includes(group.row.number);
}

function isOut({ row }: PeerWorker, { sessions, workers }: Needs["excluded"]): boolean {
  return sessions.has(row.session) || workers.has(row.id);
}
