import type { Needs } from "./able.ts";
import { aliasKey, byPreference, listedName } from "./alias.ts";
import type { AliasIndex } from "./alias-index.ts";
import type { ModelSeats } from "./model-seats.ts";

/** The part of a demand that says which models may serve it. */
interface Wanted extends Needs {
  readonly model: string;
  readonly exact: boolean;
  readonly workerId?: string | undefined;
}

/** The models of workers that are connected to other servers. */
export interface ModelsElsewhere {
  /** Whether a worker that the demand allows takes jobs for exactly this model, busy or not. */
  isReady(model: string, demand: Pick<Wanted, "excluded" | "exchangeKind" | "tenant" | "workerId">): boolean;
  /** The models of an alias that some worker takes jobs for. */
  modelsOf(alias: string): Iterable<string>;
}

/** The models that one worker serves, and for each alias those that could stand in. */
export interface Served {
  readonly byModel: { has(model: string): boolean };
  readonly byAlias: { get(alias: string): Iterable<string> | undefined };
}

/**
 * Finds the models that a request means by its name for one, by the rules of `docs/models.md`. A worker of a peer counts like
 * one of this server: a stand-in here serves a request only if no server has a better match.
 */
export class Naming {
  readonly #byModel: ReadonlyMap<string, ModelSeats>;
  readonly #aliases: AliasIndex;
  readonly #elsewhere: ModelsElsewhere | undefined;

  constructor(byModel: ReadonlyMap<string, ModelSeats>, aliases: AliasIndex, elsewhere: ModelsElsewhere | undefined) {
    this.#byModel = byModel;
    this.#aliases = aliases;
    this.#elsewhere = elsewhere;
  }

  /** Returns the model with which a worker would serve a demand; undefined if it cannot serve it. */
  modelOn(worker: Served, demand: Wanted): string | undefined {
    const { model, exact } = demand;
    if (worker.byModel.has(model)) return model;
    // A worker that was named is asked for what it has. Else a better match that is ready elsewhere is waited for.
    const isAny = demand.workerId === undefined;
    if (isAny && this.isReady(model, demand)) return undefined;
    const listed = listedName(model);
    if (worker.byModel.has(listed)) return listed;
    if (exact || (isAny && this.isReady(listed, demand))) return undefined;
    const names = worker.byAlias.get(aliasKey(listed) ?? "");
    return names && byPreference(model, names)[0];
  }

  /**
   * Lists the models that may serve a demand now, best first: the model itself while a worker of it is ready, busy or not;
   * else the same model under the name that Ollama lists; else its stand-ins.
   */
  namesFor(demand: Wanted): readonly string[] {
    const { model } = demand;
    if (this.isReady(model, demand)) return [model];
    const listed = listedName(model);
    if (this.isReady(listed, demand)) return [listed];
    if (demand.exact) return [];
    return byPreference(model, this.#standInsOf(listed)).filter((name) => this.isReady(name, demand));
  }

  /** Lists the models with which workers of peers could serve a demand that names its worker, best first. */
  namesElsewhere(demand: Wanted): readonly string[] {
    const elsewhere = this.#elsewhere;
    if (!elsewhere) return [];
    const { model, exact } = demand;
    const listed = listedName(model);
    const alias = exact ? undefined : aliasKey(listed);
    const standIns = alias === undefined ? [] : byPreference(model, elsewhere.modelsOf(alias));
    return [...new Set([model, listed, ...standIns])].filter((name) => elsewhere.isReady(name, demand));
  }

  #standInsOf(listed: string): Iterable<string> {
    const alias = aliasKey(listed);
    const own = this.#aliases.modelsOf(alias);
    if (!this.#elsewhere || alias === undefined) return own;
    return new Set([...own, ...this.#elsewhere.modelsOf(alias)]);
  }

  /** Whether a worker that the demand allows takes jobs for exactly this model, busy or not. */
  isReady(model: string, demand: Wanted): boolean {
    if (this.#byModel.get(model)?.hasReady(demand)) return true;
    return this.#elsewhere?.isReady(model, demand) ?? false;
  }
}
