import type { Session } from "../tunnel/session.ts";
import { CLOSES } from "../wire/closes.ts";
import { isId } from "../wire/names.ts";
import type { ClusterPorts } from "./cluster.ts";
import type { Restrictions } from "./restrictions.ts";

/** Operators' actions on a plugin's workers. `by` is the caller name of the operator. */
export interface WorkerOperator {
  /** Whether a worker of this id is connected, was connected lately, or is drained or blocked. */
  knowsWorker(workerId: string): boolean;
  /** Gives the worker no more jobs until that is undone, even if it reconnects. False for an id that is not known. */
  drainWorker(workerId: string, on: boolean, by: string): boolean;
  /**
   * Keeps a worker of this id, known or not, from connecting until that is undone. Returns false for a text that is not an
   * id, and when a block is lifted that does not exist.
   */
  blockWorker(workerId: string, on: boolean, by: string): boolean;
  /** Closes the worker's session in a way after which the worker may come back. False for one that is not connected. */
  disconnectWorker(workerId: string): boolean;
}

/** Operators' actions on a plugin's jobs. */
export interface JobOperator {
  /** Ends the job; its client gets `canceled_by_operator`. False for an id that the plugin does not know. */
  cancelJob(jobId: string): boolean;
}

/** The workers of a plugin, as far as operators act on them. */
export interface OperatedWorkers {
  sessionOf(workerId: string): Session | undefined;
  /** Whether a worker of this id is connected, or was lately, on any server. */
  isKnown(workerId: string): boolean;
  /** Applies a drain to a worker that may be connected. */
  setDrained(workerId: string, isDrained: boolean): void;
}

/** Returns whether a worker of one plugin is connected to another server, or was lately. */
export function knownElsewhere(cluster: ClusterPorts | undefined, pluginId: string): (workerId: string) => boolean {
  const workers = cluster?.workersOf(pluginId);
  if (!workers) return () => false;
  return (workerId) => workers.serverOf(workerId) !== undefined || workers.leftAgoMs(workerId) !== undefined;
}

/**
 * Creates the operator of a plugin's workers, who records restrictions and applies them to the connected workers.
 * Restrictions that operators impose at other servers are applied as well.
 */
export function createWorkerOperator(restrictions: Restrictions, workers: OperatedWorkers): WorkerOperator {
  const workerOf = (id: string) => ({ id, name: workers.sessionOf(id)?.worker.name });
  const knowsWorker = (id: string): boolean =>
    workers.isKnown(id) || restrictions.isDrained(id) || restrictions.isBlocked(id);
  restrictions.onElsewhere((kind, id, isOn) => {
    if (kind === "drained") workers.setDrained(id, isOn);
    else if (isOn) workers.sessionOf(id)?.close(CLOSES.blocked);
  });
  return {
    knowsWorker,
    drainWorker(id, on, by) {
      if (!knowsWorker(id)) return false;
      if (on) restrictions.impose("drained", workerOf(id), by);
      else restrictions.lift("drained", id);
      workers.setDrained(id, on);
      return true;
    },
    blockWorker(id, on, by) {
      if (!on) return restrictions.lift("blocked", id);
      if (!isId(id)) return false;
      restrictions.impose("blocked", workerOf(id), by);
      workers.sessionOf(id)?.close(CLOSES.blocked);
      return true;
    },
    disconnectWorker(id) {
      const session = workers.sessionOf(id);
      session?.close(CLOSES.disconnected_by_operator);
      return session !== undefined;
    },
  };
}
