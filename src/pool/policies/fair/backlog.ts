import { isWorkerLine, lineOf } from "../../lines.ts";
import type { Candidate } from "../../queue-policy.ts";
import type { Ticket } from "../../ticket.ts";
import { FairOrder } from "./fair-order.ts";
import type { Flow, Member } from "./flow.ts";
import { createGroup, type Group, groupKeyOf, Row } from "./row.ts";

/** The most orders of workers with the same models. All other workers share one more. */
const MAX_ORDERS = 16;

/** The lines of a seat, and the models by which it shares an order with other seats. */
interface View {
  readonly models: string;
  readonly lines: ReadonlySet<string>;
  /** The order that is known to contain all these lines. */
  order: FairOrder | undefined;
}

/** The tickets that wait, in rows by flow and group, and the fair orders among them. */
export class Backlog {
  /** The row of each ticket. */
  readonly #rows = new Map<Candidate, Row>();
  readonly #groups = new Map<string, Group>();
  readonly #byFlow = new Map<Flow, Map<Group, Row>>();
  readonly #members = new Set<Member>();
  #ofPeers = 0;
  readonly #orders = new Map<string, FairOrder>();
  /** The view of each seat, by its array of lines, which is the same one until they change. */
  readonly #views = new WeakMap<readonly string[], View>();

  get size(): number {
    return this.#rows.size;
  }

  /** The number of tickets that take room in the queue: all but those of peers. */
  get ownSize(): number {
    return this.#rows.size - this.#ofPeers;
  }

  /** The number of counters in all orders. */
  get counters(): number {
    let counters = 0;
    for (const { size } of this.#orders.values()) counters += size;
    return counters;
  }

  get groups(): Iterable<Group> {
    return this.#groups.values();
  }

  /** The callers of the tickets. */
  get members(): Iterable<Member> {
    return this.#members;
  }

  /** Returns the row of a ticket; undefined for a job that does not wait. */
  rowOf(candidate: Candidate): Row | undefined {
    return this.#rows.get(candidate);
  }

  /** The tickets of a flow, by group; no row is empty. */
  rowsOf(flow: Flow): Iterable<Row> {
    return this.#byFlow.get(flow)?.values() ?? [];
  }

  /** The orders that a row takes part in. */
  *ordersOf(row: Row): Iterable<FairOrder> {
    for (const order of this.#orders.values()) if (order.has(row)) yield order;
  }

  /** Adds a ticket and returns its row. */
  join(ticket: Ticket, flow: Flow): Row {
    const key = groupKeyOf(ticket);
    const group = this.#groups.get(key) ?? createGroup(key, ticket);
    this.#groups.set(key, group);
    const rows = this.#byFlow.get(flow) ?? new Map<Group, Row>();
    const known = rows.get(group);
    const row = known ?? new Row(flow, group);
    row.add(ticket);
    this.#rows.set(ticket, row);
    this.#members.add(flow.member);
    this.#count(ticket, flow, 1);
    if (known) {
      for (const order of this.ordersOf(row)) order.join(row, ticket.number);
      return row;
    }
    this.#byFlow.set(flow, rows.set(group, row));
    group.rows.add(row);
    for (const order of this.#orders.values()) if (order.lines.has(group.line)) order.open(row);
    return row;
  }

  /** Removes a ticket, and returns the row that it was in; undefined for a ticket that does not wait. */
  leave(ticket: Ticket, now: number): Row | undefined {
    const row = this.#rows.get(ticket);
    if (!row) return undefined;
    const { flow, group } = row;
    this.#rows.delete(ticket);
    row.remove(ticket);
    this.#count(ticket, flow, -1);
    if (flow.member.waiting === 0) this.#members.delete(flow.member);
    if (row.tickets.length === 0) {
      const rows = this.#byFlow.get(flow);
      rows?.delete(group);
      if (rows?.size === 0) this.#byFlow.delete(flow);
      group.rows.delete(row);
      if (group.rows.size === 0) this.#groups.delete(group.key);
    }
    for (const order of this.ordersOf(row)) order.leave(row, now);
    return row;
  }

  /** Returns the order for a seat with these lines, which it creates if need be. */
  orderFor(lines: readonly string[]): FairOrder {
    const view = this.#viewOf(lines);
    // Workers that come with ever new models must not use up the orders, or make the common one grow, while others wait.
    if (this.#orders.size >= MAX_ORDERS && !this.#orders.has(view.models)) this.dropIdle();
    const name = this.#nameOf(view.models);
    const known = this.#orders.get(name);
    if (known && view.order === known) return known;
    const order = known ?? new FairOrder();
    const fresh = new Set(lines.filter((line) => !order.lines.has(line)));
    this.#orders.set(name, order);
    view.order = order;
    for (const line of fresh) order.lines.add(line);
    const rows = [...this.groups].filter(({ line }) => fresh.has(line)).flatMap((group) => [...group.rows]);
    // In the order of arrival, as if the order had been there before.
    for (const row of rows.sort((a, b) => (a.head?.number ?? 0) - (b.head?.number ?? 0))) order.open(row);
    return order;
  }

  /** Returns the order for a seat if there is one with tickets. */
  findOrder(lines: readonly string[]): FairOrder | undefined {
    const order = this.#orders.get(this.#nameOf(this.#viewOf(lines).models));
    return order && order.groups.size > 0 ? order : undefined;
  }

  /** Lists the orders of workers that serve a model. */
  *ordersFor(model: string): Iterable<FairOrder> {
    const lines = [lineOf({ model, exact: true }), lineOf({ model, exact: false })];
    for (const order of this.#orders.values()) if (lines.some((line) => order.lines.has(line))) yield order;
  }

  linesOf(lines: readonly string[]): ReadonlySet<string> {
    return this.#viewOf(lines).lines;
  }

  /** Holds the tickets of a caller back, or lets them go on. */
  hold({ tenant, name, isAtLimit }: Member): void {
    for (const order of this.#orders.values()) order.hold(tenant, name, isAtLimit);
  }

  /** Forgets the orders in which nothing waits and no charge is still to be corrected. */
  dropIdle(): void {
    for (const [name, order] of this.#orders) if (order.isIdle) this.#orders.delete(name);
  }

  #count(ticket: Ticket, flow: Flow, change: 1 | -1): void {
    flow.waiting += change;
    flow.member.waiting += change;
    if (ticket.peer !== undefined) {
      this.#ofPeers += change;
      flow.ofPeers += change;
      flow.member.ofPeers += change;
    }
    if (ticket.wasAccepted) return;
    flow.refusable += change;
    flow.member.refusable += change;
  }

  #nameOf(models: string): string {
    return this.#orders.has(models) || this.#orders.size < MAX_ORDERS ? models : OTHERS;
  }

  #viewOf(lines: readonly string[]): View {
    const known = this.#views.get(lines);
    if (known) return known;
    const models = lines.filter((line) => !isWorkerLine(line)).join("\n");
    const view: View = { models, lines: new Set(lines), order: undefined };
    this.#views.set(lines, view);
    return view;
  }
}

/** The name of the order that all further workers share. No line has this name. */
const OTHERS = "";
