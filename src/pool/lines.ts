import { groupOf, listedName } from "./alias.ts";

/** The part of a demand that decides where it waits. */
interface Wanted {
  readonly model: string;
  readonly workerId?: string | undefined;
  readonly exact?: boolean | undefined;
}

/** Names the line in which a demand waits: for one worker, for one model, or for all models that stand in for each other. */
export function lineOf(demand: Wanted): string {
  if (demand.workerId !== undefined) return workerLine(demand.workerId);
  return demand.exact ? modelLine(demand.model) : aliasLine(demand.model);
}

/** Names every line whose tickets a worker with these models might serve, apart from its own line if its id is not known. */
export function linesOf(workerId: string | undefined, models: readonly string[]): readonly string[] {
  const ofModels = new Set(models.flatMap((model) => [modelLine(model), aliasLine(model)]));
  return workerId === undefined ? [...ofModels] : [workerLine(workerId), ...ofModels];
}

/** Whether a line is that of one worker, and not of a model. */
export function isWorkerLine(line: string): boolean {
  return line.startsWith(WORKER);
}

const WORKER = "worker ";
const workerLine = (workerId: string): string => WORKER + workerId;
const modelLine = (model: string): string => `model ${listedName(model)}`;
const aliasLine = (model: string): string => `alias ${groupOf(model)}`;
