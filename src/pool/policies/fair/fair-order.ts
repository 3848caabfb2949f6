import { WINDOW_MS } from "../../../figures/sliding-sum.ts";
import { CLASSES } from "../../urgency.ts";
import { Counter, isLess } from "./counter.ts";
import type { Flow } from "./flow.ts";
import { Place } from "./place.ts";
import type { Group, Row } from "./row.ts";

/** The most counters without jobs that are kept. */
const MAX_IDLE = 10_000;

/** A flow, as servers name it in messages to each other. */
export interface FlowName {
  /** Its index in `CLASSES`. */
  readonly urgency: number;
  readonly tenant: string;
  readonly caller: string;
  readonly endUser: string | undefined;
}

/** The places of one group, by urgency. */
type Tops = readonly Place[];

/**
 * The fair order of the tickets that workers with the same models may serve. Their slots are divided among tenants, a
 * tenant's part among its callers, and a caller's part among its end users; each class has counters of its own. Workers
 * with other models divide theirs apart, so that what a caller gets from one model takes nothing from it at another.
 */
export class FairOrder {
  /** The lines that its workers serve. */
  readonly lines = new Set<string>();
  readonly #roots = CLASSES.map(() => new Counter("", undefined));
  readonly #groups = new Map<Group, Tops>();
  /** The counters without jobs, the one that has been idle for longest first. */
  readonly #idle = new Set<Counter>();
  readonly #places = new Map<Row, Place>();
  #charged = 0;

  /** The groups with tickets. */
  get groups(): ReadonlyMap<Group, Tops> {
    return this.#groups;
  }

  /** Whether it can be dropped: nothing waits, and no charge is to be corrected. */
  get isIdle(): boolean {
    return this.#groups.size === 0 && this.#charged === 0;
  }

  /** The number of counters below the roots. */
  get size(): number {
    const count = ({ children }: Counter): number =>
      [...children.values()].reduce((sum, each) => sum + 1 + count(each), 0);
    return this.#roots.reduce((sum, root) => sum + count(root), 0);
  }

  has(row: Row): boolean {
    return this.#places.has(row);
  }

  /** The counter of a row's flow; undefined for a row that takes no part in this order. */
  counterOf(row: Row): Counter | undefined {
    return this.#places.get(row)?.counter;
  }

  /** Adds a row with its tickets. */
  open(row: Row): void {
    const { group, flow } = row;
    const tops = this.#groups.get(group) ?? this.#roots.map((root) => new Place(root, group, undefined));
    if (!this.#groups.has(group)) {
      this.#groups.set(group, tops);
      for (const top of tops) top.counter.places.set(group, top);
    }
    const leaf = this.#leafOf(flow);
    const caller = leaf.parent;
    const tenant = caller?.parent;
    const top = tops[flow.urgency];
    if (!top || !tenant || !caller) return; // A leaf has both above it, and every class has a top.
    const place = top.child(tenant, false).child(caller, flow.member.isAtLimit).child(leaf, false);
    this.#places.set(row, place);
    for (const ticket of row.tickets) this.join(row, ticket.number);
    place.open(row);
  }

  /** Counts a ticket of an open row. */
  join(row: Row, number: number): void {
    for (let each = this.counterOf(row); each; each = each.parent) {
      if (each.isIdle) this.#idle.delete(each);
      each.enter(number);
    }
  }

  /** Takes a ticket of a row out of the count, and closes the row if it was the last one. */
  leave(row: Row, now: number): void {
    const place = this.#places.get(row);
    for (let each = place?.counter; each; each = each.parent) {
      each.waiting -= 1;
      this.#rest(each, now);
    }
    if (row.tickets.length > 0) return;
    place?.close();
    this.#places.delete(row);
    if (row.group.rows.size > 0) return;
    for (const { counter } of this.#groups.get(row.group) ?? []) counter.places.delete(row.group);
    this.#groups.delete(row.group);
  }

  /**
   * Charges a flow for a job that begins, and returns the counter to correct at its end. `amount` is in units of cost. `group`
   * is the one in which it waited; undefined for a job that found a free slot, which says nothing of the level of those that wait.
   */
  charge(flow: Flow, amount: number, group: Group | undefined, now: number): Counter {
    const leaf = this.#leafOf(flow);
    const { weight } = flow.member;
    this.#charged += 1;
    for (let each: Counter | undefined = leaf; each; each = each.parent) {
      if (each.isIdle) this.#idle.delete(each);
      const start = each.charge(amount / divisorAt(each, weight));
      if (group) each.parent?.raise(start, group);
    }
    this.#sweep(now);
    return leaf;
  }

  /** Replaces the estimate that was charged for a job by its cost. `weight` is that of its caller when it was charged. */
  correct(leaf: Counter, weight: number, estimate: number, cost: number, now: number): void {
    this.#charged -= 1;
    for (let each: Counter | undefined = leaf; each; each = each.parent) {
      const divisor = divisorAt(each, weight);
      each.correct(estimate / divisor, cost / divisor);
      this.#rest(each, now);
    }
    this.#sweep(now);
  }

  /** Counts service that a flow has received from other servers. Ignores a correction for a flow that is no longer known. */
  absorb(flow: FlowName, weight: number, amount: number, now: number): void {
    if (amount < 0 && !this.#isKnown(flow)) return;
    for (let each: Counter | undefined = this.#leafAt(flow); each; each = each.parent) {
      const start = each.absorb(amount / divisorAt(each, weight));
      each.parent?.raise(start, undefined);
      this.#rest(each, now);
    }
    this.#sweep(now);
  }

  /** Holds the tickets of a caller back, or lets them go on. */
  hold(tenant: string, caller: string, isHeld: boolean): void {
    for (const root of this.#roots)
      for (const place of root.children.get(tenant)?.children.get(caller)?.places.values() ?? []) place.hold(isHeld);
  }

  /** Whether a row comes before another one of the same class. */
  isBefore(a: Row, b: Row): boolean {
    const [x, y] = [this.counterOf(a), this.counterOf(b)];
    if (!x?.parent || !y?.parent || x === y) return (a.head?.number ?? 0) < (b.head?.number ?? 0);
    if (x.parent === y.parent) return isLess(x, y);
    const [above, other] = [x.parent.parent, y.parent.parent];
    return !above || !other || above === other ? isLess(x.parent, y.parent) : isLess(above, other);
  }

  #leafOf({ urgency, member, endUser }: Flow): Counter {
    return this.#leafAt({ urgency, tenant: member.tenant, caller: member.name, endUser });
  }

  #leafAt({ urgency, tenant, caller, endUser }: FlowName): Counter {
    const root = this.#roots[urgency] ?? new Counter("", undefined); // There is one for each class.
    return root
      .child(tenant)
      .child(caller)
      .child(endUser ?? "");
  }

  #isKnown({ urgency, tenant, caller, endUser }: FlowName): boolean {
    const member = this.#roots[urgency]?.children.get(tenant)?.children.get(caller);
    return member?.children.has(endUser ?? "") ?? false;
  }

  #rest(counter: Counter, now: number): void {
    if (!counter.isIdle || !counter.parent) return;
    counter.idleSince = now;
    this.#idle.add(counter);
  }

  /** Forgets counters that have no jobs and are not ahead of the others, or have been idle for a minute. */
  #sweep(now: number): void {
    for (const counter of this.#idle) {
      const { parent, service, idleSince } = counter;
      const isKept = parent && service > parent.level && now - idleSince < WINDOW_MS && this.#idle.size <= MAX_IDLE;
      if (isKept) return;
      this.#idle.delete(counter);
      parent?.children.delete(counter.name);
    }
  }
}

/**
 * Returns what a cost is divided by where it is counted: the weight of its caller for the caller and its end users, and 1 for
 * the tenant, because weights divide what a tenant gets and do not change it.
 */
function divisorAt({ parent }: Counter, weight: number): number {
  const isTenantOrRoot = parent?.parent === undefined;
  return isTenantOrRoot ? 1 : weight;
}
