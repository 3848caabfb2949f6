import { keepNewest } from "../../../system/newest.ts";

/** The weight of a new job in an estimate. */
const SHARE = 0.2;

/** The estimate before any job of a model has ended, in weighted tokens: a short chat. */
const FIRST = 1000;

/** The most models, and callers of one model, with an estimate. Beyond that, the one known for longest is forgotten. */
const MAX_MODELS = 500;
const MAX_CALLERS = 500;

interface ModelEstimate {
  cost: number;
  readonly byCaller: Map<string, number>;
}

/** Estimates of what a job will cost: moving averages over the ended jobs of its caller at its model, else of the model. */
export class Estimates {
  readonly #models = new Map<string, ModelEstimate>();

  of(caller: string, model: string): number {
    const known = this.#models.get(model);
    return known?.byCaller.get(caller) ?? known?.cost ?? FIRST;
  }

  learn(caller: string, model: string, cost: number): void {
    const known = this.#models.get(model);
    if (!known) return put(this.#models, model, { cost, byCaller: new Map([[caller, cost]]) }, MAX_MODELS);
    known.cost += SHARE * (cost - known.cost);
    const before = known.byCaller.get(caller) ?? cost;
    put(known.byCaller, caller, before + SHARE * (cost - before), MAX_CALLERS);
  }
}

function put<T>(map: Map<string, T>, key: string, value: T, limit: number): void {
  map.set(key, value);
  keepNewest(map, limit);
}
