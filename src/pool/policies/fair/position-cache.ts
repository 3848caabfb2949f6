import type { Ticket } from "../../ticket.ts";
import type { Backlog } from "./backlog.ts";
import type { FairOrder } from "./fair-order.ts";
import { inTurn } from "./positions.ts";
import type { Row } from "./row.ts";

/** With at most this many tickets, positions are computed again after each change. */
const FEW = 64;

/** The age that positions among more tickets may have: they are estimates, and many clients ask for theirs. */
const MAX_AGE_MS = 1000;

/** The most orders and lines whose positions are kept: orders that were given up are among them. */
const MAX_KNOWN = 64;

interface Positions {
  readonly revision: number;
  readonly at: number;
  readonly of: ReadonlyMap<Ticket, number>;
}

/** The positions of the tickets of a backlog, computed for all tickets of an order at once. */
export class PositionCache {
  /** Grows with every change of the order. */
  revision = 0;
  readonly #backlog: Backlog;
  readonly #costOf: (row: Row) => number;
  /** The positions in each order, and those of each line of tickets that are in no order yet. */
  readonly #known = new Map<FairOrder | string, Positions>();

  constructor(backlog: Backlog, costOf: (row: Row) => number) {
    this.#backlog = backlog;
    this.#costOf = costOf;
  }

  /** Returns the best position of a ticket in the orders that it takes part in; 0 for one that does not wait. */
  of(ticket: Ticket, now: number): number {
    const row = this.#backlog.rowOf(ticket);
    if (!row) return 0;
    let best: number | undefined;
    for (const order of this.#backlog.ordersOf(row))
      best = Math.min(best ?? Number.POSITIVE_INFINITY, this.#in(order, ticket, now));
    return best ?? this.#in(row.group.line, ticket, now);
  }

  clear(): void {
    this.#known.clear();
  }

  #in(order: FairOrder | string, ticket: Ticket, now: number): number {
    const known = this.#known.get(order);
    const position = known?.of.get(ticket);
    if (known && position !== undefined) {
      const isFresh = known.of.size > FEW && now - known.at < MAX_AGE_MS;
      if (isFresh || known.revision === this.revision) return position;
    }
    const tickets = inTurn(this.#rowsOf(order), typeof order === "string" ? undefined : order, this.#costOf);
    const of = new Map(tickets.map((each, at) => [each, at + 1]));
    if (this.#known.size >= MAX_KNOWN) this.#known.clear();
    this.#known.set(order, { revision: this.revision, at: now, of });
    return of.get(ticket) ?? 1;
  }

  #rowsOf(order: FairOrder | string): Row[] {
    const groups = typeof order === "string" ? this.#backlog.groups : order.groups.keys();
    const rows: Row[] = [];
    for (const group of groups) if (typeof order !== "string" || group.line === order) rows.push(...group.rows);
    return rows;
  }
}
