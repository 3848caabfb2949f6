import type { ModelInfo } from "../wire/model-info.ts";
import { servesTenant } from "./able.ts";
import { aliasKey, listedName } from "./alias.ts";
import type { Demand, Directory } from "./directory.ts";
import { NONE_EXCLUDED } from "./excluded.ts";
import type { Reach } from "./reach.ts";
import type { RemoteModels } from "./remotes.ts";

/** The models that a request may name: those of the pool's own workers, and those of peers if there are any. */
export class PoolModels {
  readonly #own: Directory;
  readonly #remotes: RemoteModels | undefined;
  readonly #reach: Reach;

  constructor(own: Directory, remotes: RemoteModels | undefined, reach: Reach) {
    this.#own = own;
    this.#remotes = remotes;
    this.#reach = reach;
  }

  /** Grows with every change of what the workers offer. */
  get offersRevision(): number {
    return this.#own.offersRevision + (this.#remotes?.offersRevision ?? 0);
  }

  /** Whether each peer has announced what it serves. */
  get isSettled(): boolean {
    return this.#remotes?.isSettled ?? true;
  }

  /** Lists the models that are served or were within the grace period, sorted. */
  known(): string[] {
    return this.#union(this.#own.knownModels(), this.#remotes?.knownModels());
  }

  /** Lists the models that some worker takes jobs for, busy or not, sorted. */
  served(): string[] {
    return this.#union(this.#own.servedModels(), this.#remotes?.servedModels());
  }

  /** Whether some worker serves or served only certain tenants. While none does, all callers see the same. */
  get isDivided(): boolean {
    return this.#own.isDivided || (this.#remotes?.isDivided ?? false);
  }

  /**
   * Lists the models that one worker takes jobs for, in any order; undefined for a worker that is connected to no server, or does
   * not serve the callers of a tenant.
   */
  ofWorker(workerId: string, tenant?: string): readonly string[] | undefined {
    const seat = this.#reach.seatOf(workerId);
    if (seat && !servesTenant(seat.session, tenant)) return undefined;
    if (seat) return seat.capacity > 0 ? seat.models : [];
    const remotes = this.#remotes;
    if (remotes?.serverOf(workerId) === undefined || !remotes.isKnownWorker(workerId, tenant)) return undefined;
    const needs = { workerId, excluded: NONE_EXCLUDED, tenant };
    return [...remotes.servedModels()].filter((model) => remotes.isReady(model, needs));
  }

  /** Returns the model with which a demand would be served now or once a slot is free; undefined for none. */
  resolve(demand: Demand): string | undefined {
    return this.#reach.resolve(demand);
  }

  /** Whether the model, or a stand-in for it, is served now or was served within the grace period. */
  isKnown(demand: Demand): boolean {
    const remotes = this.#remotes;
    if (this.#own.isKnownModel(demand)) return true;
    if (!remotes) return false;
    const { model, tenant } = demand;
    const listed = listedName(model);
    if (remotes.isKnownModel(model, tenant) || remotes.isKnownModel(listed, tenant)) return true;
    const alias = demand.exact ? undefined : aliasKey(listed);
    return alias !== undefined && remotes.isKnownAlias(alias, tenant);
  }

  /** Whether some worker takes jobs for exactly this model from the callers of a tenant, busy or not. */
  isServedFor(model: string, tenant: string): boolean {
    return this.#own.naming.isReady(model, { model, exact: true, excluded: NONE_EXCLUDED, tenant });
  }

  /** Counts the connected workers that serve exactly this model. */
  workersOf(model: string): number {
    return this.#own.workersOf(model) + (this.#remotes?.workersOf(model) ?? 0);
  }

  /** The time, in milliseconds since 1970, at which any server first saw a model; undefined for one that is not known. */
  firstSeenAt(model: string): number | undefined {
    const here = this.#own.firstSeenAt(model);
    const elsewhere = this.#remotes?.firstSeenAt(model);
    if (here === undefined || elsewhere === undefined) return here ?? elsewhere;
    return Math.min(here, elsewhere);
  }

  /**
   * Returns what the workers of other servers that serve the callers of a tenant (of any, if undefined) say about a model, joined
   * for each server.
   */
  infosElsewhere(model: string, tenant?: string): Iterable<ModelInfo> {
    return this.#remotes?.infosOf(model, tenant) ?? [];
  }

  #union(own: string[], others: Iterable<string> | undefined): string[] {
    return others ? [...new Set([...own, ...others])].sort() : own;
  }
}
