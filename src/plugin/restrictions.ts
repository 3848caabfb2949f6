import { Fault } from "../errors.ts";
import type { Clock } from "../system/deps.ts";
import type { RestrictionFact, RestrictionState } from "./restriction-state.ts";

/** What an operator may order about a worker id: it gets no more jobs, or it may not connect. */
export type RestrictionKind = "drained" | "blocked";

/** An operator's order about a worker id. It lasts until an operator lifts it, whether or not the worker is connected. */
export interface Restriction {
  readonly kind: RestrictionKind;
  readonly workerId: string;
  /** The worker's own name at that time; undefined if it was not connected. Untrusted text. */
  readonly workerName: string | undefined;
  /** The caller name of the operator. */
  readonly by: string;
  /** Milliseconds since 1970. */
  readonly since: number;
}

/** Keeps restrictions beyond the life of the process. Methods MUST NOT throw if a write fails. */
export interface RestrictionRecords {
  /** Returns all records, the oldest first. Called once, before anything else. */
  load(): readonly Restriction[];
  save(restriction: Restriction): void;
  remove(kind: RestrictionKind, workerId: string): void;
  /** Tells the listener of changes that other servers have made. Called once, after `load`. Absent without other servers. */
  watch?(listener: RestrictionListener): void;
}

export interface RestrictionListener {
  saved(restriction: Restriction): void;
  removed(kind: RestrictionKind, workerId: string): void;
}

export interface RestrictionsOptions {
  readonly clock: Clock;
  /** Restrictions are kept in memory alone unless given. */
  readonly records?: RestrictionRecords | undefined;
  /** Called after each change of the list. */
  readonly onChange?: () => void;
}

/** A restriction that was imposed or lifted. */
export type RestrictionChange = (kind: RestrictionKind, workerId: string, isOn: boolean) => void;

/** The most restrictions of one plugin. The state lists them all. */
const MAX_RESTRICTIONS = 1000;

/** The worker ids of one plugin that operators have drained or blocked. */
export class Restrictions {
  readonly #options: RestrictionsOptions;
  readonly #drained = new Map<string, Restriction>();
  readonly #blocked = new Map<string, Restriction>();
  #onElsewhere: RestrictionChange = () => {};

  constructor(options: RestrictionsOptions) {
    this.#options = options;
    for (const restriction of options.records?.load() ?? [])
      this.#of(restriction.kind).set(restriction.workerId, restriction);
    options.records?.watch?.({
      saved: (restriction) => this.#follow(restriction.kind, restriction.workerId, restriction),
      removed: (kind, workerId) => this.#follow(kind, workerId, undefined),
    });
  }

  /** Calls `listener` after each restriction that another server has imposed or lifted. There is one listener. */
  onElsewhere(listener: RestrictionChange): void {
    this.#onElsewhere = listener;
  }

  isDrained(workerId: string): boolean {
    return this.#drained.has(workerId);
  }

  isBlocked(workerId: string): boolean {
    return this.#blocked.has(workerId);
  }

  /** Imposes a restriction, unless it exists. Throws `invalid_request` if there are too many. */
  impose(kind: RestrictionKind, worker: { readonly id: string; readonly name: string | undefined }, by: string): void {
    const { clock, records, onChange } = this.#options;
    const restrictions = this.#of(kind);
    if (restrictions.has(worker.id)) return;
    if (this.#drained.size + this.#blocked.size >= MAX_RESTRICTIONS) {
      const message = `${MAX_RESTRICTIONS} workers are drained or blocked already. Lift some of these restrictions first.`;
      throw new Fault("invalid_request", { message });
    }
    const restriction = { kind, workerId: worker.id, workerName: worker.name, by, since: clock.now() };
    restrictions.set(worker.id, restriction);
    records?.save(restriction);
    onChange?.();
  }

  /** Lifts a restriction. Returns false if there is none. */
  lift(kind: RestrictionKind, workerId: string): boolean {
    if (!this.#of(kind).delete(workerId)) return false;
    this.#options.records?.remove(kind, workerId);
    this.#options.onChange?.();
    return true;
  }

  /** Describes all restrictions for the State API, by worker. */
  state(isConnected: (workerId: string) => boolean): readonly RestrictionState[] {
    const ids = new Set([...this.#drained.keys(), ...this.#blocked.keys()]);
    return Array.from(ids, (id) => {
      const [drained, blocked] = [this.#drained.get(id), this.#blocked.get(id)];
      return {
        id,
        name: blocked?.workerName ?? drained?.workerName ?? null,
        connected: isConnected(id),
        drained: toFact(drained),
        blocked: toFact(blocked),
      };
    });
  }

  #follow(kind: RestrictionKind, workerId: string, restriction: Restriction | undefined): void {
    const restrictions = this.#of(kind);
    const before = restrictions.has(workerId);
    if (restriction) restrictions.set(workerId, restriction);
    else restrictions.delete(workerId);
    this.#options.onChange?.();
    if (before !== (restriction !== undefined)) this.#onElsewhere(kind, workerId, restriction !== undefined);
  }

  #of(kind: RestrictionKind): Map<string, Restriction> {
    return kind === "drained" ? this.#drained : this.#blocked;
  }
}

function toFact(restriction: Restriction | undefined): RestrictionFact | null {
  return restriction ? { since: new Date(restriction.since).toISOString(), by: restriction.by } : null;
}
