import { aliasKey } from "./alias.ts";
import type { Demand } from "./directory.ts";
import type { Seat } from "./seat.ts";

/** Where a demand waits: for one worker, for one model, or for all that may stand in for each other. */
export function laneOf(demand: Demand): string {
  if (demand.workerId !== undefined) return workerLane(demand.workerId);
  const alias = demand.exact ? undefined : aliasKey(demand.model);
  return alias === undefined ? modelLane(demand.model) : aliasLane(alias);
}

/** Every lane whose tickets a seat might serve. */
export function lanesOf(seat: Seat): string[] {
  return [
    workerLane(seat.session.worker.id),
    ...seat.models.map(modelLane),
    ...[...seat.byAlias.keys()].map(aliasLane),
  ];
}

const workerLane = (workerId: string): string => `worker ${workerId}`;
const modelLane = (model: string): string => `model ${model}`;
const aliasLane = (alias: string): string => `alias ${alias}`;
