import type { Group } from "./row.ts";

/** The part of a `Place` that its counter needs. */
export interface CounterPlace {
  /** The least service of its children that have tickets there; undefined without any. */
  readonly least: number | undefined;
  /** Notes that the counter's service has changed. */
  moved(): void;
  /** Holds all tickets below back, or lets them go on. */
  hold(isHeld: boolean): void;
}

/**
 * The service that one flow has received, compared with the other flows of the same parent. A parent's `level` is the
 * service at which the last of its flows was served, as far as costs are known by then, and never falls. A flow that begins to wait is lifted to it, so that
 * idling earns no credit; one that has fallen behind because it waits for other workers is lifted when it is served.
 */
export class Counter {
  readonly name: string;
  readonly parent: Counter | undefined;
  readonly children = new Map<string, Counter>();
  /** Its place in each group in which it waits. */
  readonly places = new Map<Group, CounterPlace>();
  /** Service, in units of cost; of callers and their end users, divided by weight. */
  service = 0;
  /** The number of the ticket with which it began to wait: the order among counters with equal service. */
  order = 0;
  level = 0;
  /** Tickets that wait. */
  waiting = 0;
  /** Running jobs that were charged an estimate and whose true cost is not known yet. */
  charged = 0;
  /** The sum of these estimates, which is a part of its service. */
  #estimated = 0;
  /** `Clock.elapsed` when it last had either. */
  idleSince = 0;
  /** Refunds not yet used up, by which it may be below its parent's level. */
  #credit = 0;

  constructor(name: string, parent: Counter | undefined) {
    this.name = name;
    this.parent = parent;
  }

  get isIdle(): boolean {
    return this.waiting === 0 && this.charged === 0;
  }

  /** Returns the counter of a child, which it creates if need be. */
  child(name: string): Counter {
    const known = this.children.get(name);
    if (known) return known;
    const counter = new Counter(name, this);
    this.children.set(name, counter);
    return counter;
  }

  /** Counts a ticket that begins to wait. */
  enter(number: number): void {
    this.waiting += 1;
    if (this.waiting > 1 || !this.parent) return;
    this.order = number;
    this.#credit = 0;
    this.service = Math.max(this.service, this.parent.level);
  }

  /**
   * Charges the estimate of a job that begins. Returns the service at which it began, without the estimates of jobs that run:
   * their true costs may be far lower, and a level that contains them would put newcomers behind the flow for long.
   */
  charge(amount: number): number {
    const start = Math.max(this.service, (this.parent?.level ?? 0) - this.#credit);
    const known = start - this.#estimated;
    this.charged += 1;
    this.#estimated += amount;
    this.#credit = Math.max(0, this.#credit - amount);
    this.#moveTo(start + amount);
    return known;
  }

  /** Replaces the estimate of a job that has ended by its cost. */
  correct(estimate: number, cost: number): void {
    const difference = cost - estimate;
    this.charged -= 1;
    // Sums of fractions drift, so none is carried on.
    this.#estimated = this.charged === 0 ? 0 : this.#estimated - estimate;
    this.#credit = Math.max(0, this.#credit - difference);
    this.#moveTo(this.service + difference);
  }

  /**
   * Counts service that was received from other servers, below 0 to correct what was counted before. Returns the service at
   * which it began, as `charge` does.
   */
  absorb(amount: number): number {
    const start = Math.max(this.service, (this.parent?.level ?? 0) - this.#credit);
    const known = start - this.#estimated;
    this.#credit = Math.max(0, this.#credit - amount);
    this.#moveTo(start + amount);
    return known;
  }

  /**
   * Raises the level after a child was served in a group, or by another server. A group that not every worker serves may have
   * served a child that is far ahead of the others, and then raises the level only to the service of those that wait in other
   * groups.
   */
  raise(start: number, group: Group | undefined): void {
    let bound = start;
    if (!group?.isCommon)
      for (const [other, place] of this.places) if (other !== group) bound = Math.min(bound, place.least ?? bound);
    this.level = Math.max(this.level, bound);
  }

  #moveTo(service: number): void {
    this.service = service;
    for (const place of this.places.values()) place.moved();
  }
}

/** Whether a counter comes before another one of the same parent. */
export function isLess(a: Counter, b: Counter): boolean {
  return a.service < b.service || (a.service === b.service && a.order < b.order);
}
