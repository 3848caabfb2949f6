import type { OpenSeat } from "../../queue-policy.ts";
import type { Ticket } from "../../ticket.ts";
import type { Row } from "./row.ts";

/** How many of the next tickets are searched for one whose prompt the worker has in its cache. */
export const LOOKED_AT = 8;

/** How often a ticket may be passed over. After that, no ticket behind it goes first. */
export const MAX_PASSES = 3;

/** The least part of a prompt that must be in a worker's cache for a ticket to go first. */
const LEAST_SHARE = 0.5;

/** A ticket that goes first, and those that it passes over. */
export interface Preference {
  readonly ticket: Ticket;
  readonly row: Row;
  readonly passed: readonly Ticket[];
}

/**
 * Lets a ticket go before its turn if the worker with the free slot has its prompt in its cache. It chooses
 * among the next few tickets, whose flows have had about as little service as the first one's. No ticket is passed over more
 * than `MAX_PASSES` times.
 */
export class Locality {
  readonly #passes = new Map<Ticket, number>();

  /** Chooses among rows in their fair order. `isOnly` tells that no other flow waits, so that all of them are one row. */
  choose(rows: readonly Row[], isOnly: boolean, warmth: NonNullable<OpenSeat["warmth"]>): Preference | undefined {
    const passed: Ticket[] = [];
    for (const { row, ticket } of candidates(rows, isOnly)) {
      if (warmth(ticket) >= LEAST_SHARE) return { ticket, row, passed };
      if ((this.#passes.get(ticket) ?? 0) >= MAX_PASSES) break;
      passed.push(ticket);
    }
    const [row] = rows;
    return row?.head && { ticket: row.head, row, passed: [] };
  }

  /** Notes that a ticket has got its slot before others. */
  preferred({ passed }: Preference): void {
    for (const ticket of passed) this.#passes.set(ticket, (this.#passes.get(ticket) ?? 0) + 1);
  }

  left(ticket: Ticket): void {
    this.#passes.delete(ticket);
  }
}

/**
 * Lists the next tickets in the order of their turns: the first of each row, and then the second of the first row, which would
 * be charged one job more. Further tickets of these rows may come after rows that are not among them.
 */
function candidates(rows: readonly Row[], isOnly: boolean): readonly { readonly row: Row; readonly ticket: Ticket }[] {
  const [first] = rows;
  if (!first) return [];
  if (isOnly) return first.tickets.slice(0, LOOKED_AT).map((ticket) => ({ row: first, ticket }));
  const heads = rows.flatMap((row) => (row.head ? [{ row, ticket: row.head }] : []));
  const second = first.tickets[1];
  return second && heads.length < LOOKED_AT ? [...heads, { row: first, ticket: second }] : heads;
}
