import { groupOf, listedName } from "./alias.ts";
import type { Demand } from "./directory.ts";
import type { Seat } from "./seat.ts";

/** Names the line in which a demand waits: for one worker, for one model, or for all models that stand in for each other. */
export function lineOf(demand: Demand): string {
  if (demand.workerId !== undefined) return workerLine(demand.workerId);
  return demand.exact ? modelLine(demand.model) : aliasLine(demand.model);
}

/** Names every line whose tickets a seat might serve. */
export function linesOf(seat: Seat): string[] {
  return [
    workerLine(seat.session.worker.id),
    ...new Set(seat.models.flatMap((model) => [modelLine(model), aliasLine(model)])),
  ];
}

const workerLine = (workerId: string): string => `worker ${workerId}`;
const modelLine = (model: string): string => `model ${listedName(model)}`;
const aliasLine = (model: string): string => `alias ${groupOf(model)}`;
