import type { Needs } from "./able.ts";
import { aliasKey, byPreference, listedName } from "./alias.ts";
import type { AliasIndex } from "./alias-index.ts";
import type { ModelSeats } from "./model-seats.ts";
import type { Seat } from "./seat.ts";

/** The part of a demand that says which models may serve it. */
interface Wanted extends Needs {
  readonly model: string;
  readonly exact: boolean;
  readonly workerId?: string | undefined;
}

/** Finds the models that a request means by its name for one, by the rules of `docs/models.md`. */
export class Naming {
  readonly #byModel: ReadonlyMap<string, ModelSeats>;
  readonly #aliases: AliasIndex;

  constructor(byModel: ReadonlyMap<string, ModelSeats>, aliases: AliasIndex) {
    this.#byModel = byModel;
    this.#aliases = aliases;
  }

  /** Returns the model with which a seat would serve a demand; undefined if it cannot serve it. */
  modelOn(seat: Seat, demand: Wanted): string | undefined {
    const { model, exact } = demand;
    if (seat.byModel.has(model)) return model;
    // A worker that was named is asked for what it has. Else a better match that is ready elsewhere is waited for.
    const isAny = demand.workerId === undefined;
    if (isAny && this.#isReady(model, demand)) return undefined;
    const listed = listedName(model);
    if (seat.byModel.has(listed)) return listed;
    if (exact || (isAny && this.#isReady(listed, demand))) return undefined;
    const names = seat.byAlias.get(aliasKey(listed) ?? "");
    return names && byPreference(model, names)[0];
  }

  /**
   * Lists the models that may serve a demand now, best first: the model itself while a worker of it is ready, busy or not;
   * else the same model under the name that Ollama lists; else its stand-ins.
   */
  namesFor(demand: Wanted): readonly string[] {
    const { model } = demand;
    if (this.#isReady(model, demand)) return [model];
    const listed = listedName(model);
    if (this.#isReady(listed, demand)) return [listed];
    if (demand.exact) return [];
    return byPreference(model, this.#aliases.modelsOf(aliasKey(listed))).filter((name) => this.#isReady(name, demand));
  }

  /** Whether a worker that is not excluded takes jobs for exactly this model, busy or not. */
  #isReady(model: string, demand: Wanted): boolean {
    return this.#byModel.get(model)?.hasReady(demand) ?? false;
  }
}
