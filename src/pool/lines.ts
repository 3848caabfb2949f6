import { aliasKey } from "./alias.ts";
import type { Demand } from "./directory.ts";
import type { Seat } from "./seat.ts";

/** Names the line in which a demand waits: for one worker, for one model, or for all models that stand in for each other. */
export function lineOf(demand: Demand): string {
  if (demand.workerId !== undefined) return workerLine(demand.workerId);
  const alias = demand.exact ? undefined : aliasKey(demand.model);
  return alias === undefined ? modelLine(demand.model) : aliasLine(alias);
}

/** Names every line whose tickets a seat might serve. */
export function linesOf(seat: Seat): string[] {
  return [
    workerLine(seat.session.worker.id),
    ...seat.models.map(modelLine),
    ...[...seat.byAlias.keys()].map(aliasLine),
  ];
}

const workerLine = (workerId: string): string => `worker ${workerId}`;
const modelLine = (model: string): string => `model ${model}`;
const aliasLine = (alias: string): string => `alias ${alias}`;
