import { isOwn } from "./able.ts";
import { aliasKey } from "./alias.ts";
import type { Demand, Directory } from "./directory.ts";
import type { RemoteChoice, RemoteModels } from "./remotes.ts";
import { isWithinGuard } from "./routing/guard.ts";
import type { Choice } from "./routing/route-policy.ts";
import type { Seat } from "./seat.ts";
import type { Ticket } from "./ticket.ts";

/**
 * The least part of a prompt that must be cached at another server for a request to go there although this one could serve
 * it. A smaller part would save less than the hop costs.
 */
const LEAST_SHARE = 0.5;

/** All workers that a pool can send jobs to: those of its own directory, and those of peers if there are any. */
export class Reach {
  readonly #own: Directory;
  readonly #remotes: RemoteModels | undefined;

  constructor(own: Directory, remotes: RemoteModels | undefined) {
    this.#own = own;
    this.#remotes = remotes;
  }

  /**
   * How many workers are connected that serve the callers of a tenant (of any, if undefined), as far as is known: of peers, at
   * least as many.
   */
  sizeFor(tenant: string | undefined): number {
    return this.#own.sizeFor(tenant) + (this.#remotes?.sizeFor(tenant) ?? 0);
  }

  /** Chooses a seat of this server or, if none has room, a slot on a peer. A better match for the name goes first. */
  choose(demand: Demand): Choice | RemoteChoice | undefined {
    const remotes = this.#remotes;
    if (!remotes) return this.#own.choose(demand);
    const { model, workerId } = demand;
    if (this.#isSeated(demand)) return this.#own.choose(demand);
    const own = workerId === undefined ? this.#own.chooseModel(model, demand) : undefined;
    const preferred =
      demand.prefersOwn && workerId === undefined ? this.#choosePreferred(demand, own, remotes) : undefined;
    if (preferred) return preferred;
    const warmer = demand.affinity && workerId === undefined ? this.#chooseWarmer(demand, own, remotes) : undefined;
    return warmer ?? own ?? this.#chooseByName(demand, remotes);
  }

  /** Chooses a worker for the caller's tenant alone: the seat that was chosen here, else one of a peer. */
  #choosePreferred(demand: Demand, own: Choice | undefined, remotes: RemoteModels): Choice | RemoteChoice | undefined {
    if (own && isOwn(own.to.seat.session, demand.tenant)) return own;
    return remotes.choose(demand.model, { ...demand, ownOnly: true });
  }

  /**
   * Chooses a peer whose worker has at least half of the prompt in its cache, and more than the seat that was chosen here,
   * unless its last announced load exceeds what the guard allows. Otherwise conversations would lose their caches whenever
   * they reach another server.
   */
  #chooseWarmer(demand: Demand, own: Choice | undefined, remotes: RemoteModels): RemoteChoice | undefined {
    const { model, affinity } = demand;
    for (const { sessionId, share, source } of affinity?.candidates(model) ?? []) {
      if (share < LEAST_SHARE || share <= (own?.route.share ?? 0)) return undefined;
      if (this.#own.hasSession(sessionId)) continue;
      const needs = { ...demand, sessionId };
      const choice = remotes.choose(model, needs);
      if (!choice) continue;
      const { busy, slots } = remotes.loadOf(model, needs);
      if (isWithinGuard({ busy, capacity: slots }, own?.to.seat.load ?? 1)) return { ...choice, reason: source, share };
    }
    return undefined;
  }

  #chooseByName(demand: Demand, remotes: RemoteModels): Choice | RemoteChoice | undefined {
    for (const name of this.namesFor(demand)) {
      const { workerId } = demand;
      const own = workerId === undefined ? this.#own.chooseModel(name, demand) : undefined;
      if (own) return own;
      const choice = remotes.choose(name, demand);
      if (choice) return workerId === undefined ? choice : { ...choice, workerId };
    }
    return undefined;
  }

  /** Whether a slot on a peer may go to a job that waits. The job of a peer never goes to a peer. */
  serves({ group, workerId, sessionId }: RemoteChoice, { demand, peer }: Pick<Ticket, "demand" | "peer">): boolean {
    const { excluded } = demand;
    if (peer !== undefined) return false;
    if (demand.workerId !== undefined && demand.workerId !== workerId) return false;
    if (sessionId !== undefined && excluded.sessions.has(sessionId)) return false;
    if (workerId !== undefined && excluded.workers.has(workerId)) return false;
    if (group.tenants && demand.tenant !== undefined && !group.tenants.includes(demand.tenant)) return false;
    if (demand.exchangeKind !== undefined && !group.exchangeKinds?.includes(demand.exchangeKind)) return false;
    const alias = aliasKey(group.model);
    const worker = {
      byModel: { has: (model: string): boolean => model === group.model },
      byAlias: { get: (key: string) => (key === alias ? [group.model] : undefined) },
    };
    return this.#own.naming.modelOn(worker, demand) !== undefined;
  }

  /** Returns the model with which a demand would be served now or once a slot is free; undefined for none. */
  resolve(demand: Demand): string | undefined {
    if (!this.#remotes || this.#isSeated(demand)) return this.#own.resolve(demand);
    const choice = this.choose(demand);
    if (!choice) return this.namesFor(demand)[0];
    return "to" in choice ? choice.to.model : choice.group.model;
  }

  /** Whether any worker that is not excluded serves the demand; with `ready`, only workers that take jobs, busy or not. */
  isServed(demand: Demand, ready: boolean): boolean {
    if (this.#own.isServed(demand, ready)) return true;
    return this.#remotes !== undefined && !this.#isSeated(demand) && this.namesFor(demand).length > 0;
  }

  /** Whether workers of peers take jobs for the demand, busy or not. */
  isServedElsewhere(demand: Demand): boolean {
    const remotes = this.#remotes;
    return remotes !== undefined && this.namesFor(demand).some((name) => remotes.isReady(name, demand));
  }

  /** Counts the slots of all workers that may get the demand, and how many are held. */
  loadOf(demand: Demand): { readonly busy: number; readonly slots: number } {
    const own = this.#own.loadOf(demand);
    const remotes = this.#remotes;
    if (!remotes || this.#isSeated(demand)) return own;
    let { busy, slots } = own;
    for (const name of this.namesFor(demand)) {
      const load = remotes.loadOf(name, demand);
      busy += load.busy;
      slots += load.slots;
    }
    return { busy, slots };
  }

  isKnownWorker(workerId: string, tenant?: string): boolean {
    return this.#own.isKnownWorker(workerId, tenant) || (this.#remotes?.isKnownWorker(workerId, tenant) ?? false);
  }

  #isSeated({ workerId }: Demand): boolean {
    return workerId !== undefined && this.seatOf(workerId) !== undefined;
  }

  /** Returns the seat of a worker, unless the worker leaves it and is connected to a peer already. */
  seatOf(workerId: string): Seat | undefined {
    const seat = this.#own.seatOf(workerId);
    const hasMoved = seat?.session.offer.status === "draining" && this.#remotes?.serverOf(workerId) !== undefined;
    return hasMoved ? undefined : seat;
  }

  /** Lists the models that may serve a demand now, best first; of a worker that is named, if a peer has it. */
  namesFor(demand: Demand): readonly string[] {
    const { naming } = this.#own;
    return demand.workerId === undefined ? naming.namesFor(demand) : naming.namesElsewhere(demand);
  }
}
