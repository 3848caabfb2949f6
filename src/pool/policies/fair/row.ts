import { DEFAULT_TENANT } from "../../../auth/caller.ts";
import { NONE_EXCLUDED } from "../../excluded.ts";
import { lineOf } from "../../lines.ts";
import type { Ticket } from "../../ticket.ts";
import type { Flow } from "./flow.ts";

/** A group: tickets of one line whose demands are alike, so that a seat serves either all of them or none. */
export interface Group {
  readonly key: string;
  readonly line: string;
  /** Whether every worker of the line's models may serve its tickets. */
  readonly isCommon: boolean;
  /** The model that its tickets ask for. */
  readonly model: string;
  /** Its tickets, by flow; no row is empty. */
  readonly rows: Set<Row>;
}

export function createGroup(key: string, ticket: Ticket): Group {
  const { model, workerId, exchangeKind, excluded, tenant = DEFAULT_TENANT } = ticket.demand;
  const isForAny = workerId === undefined && exchangeKind === undefined && excluded === NONE_EXCLUDED;
  const isCommon = isForAny && tenant === DEFAULT_TENANT;
  return { key, line: lineOf(ticket.demand), isCommon, model, rows: new Set() };
}

/** Returns one of the tickets of a group, to ask about all of them. */
export function sampleOf({ rows }: Group): Ticket | undefined {
  for (const { head } of rows) return head;
  return undefined;
}

/**
 * Returns the key of a ticket's group: everything that decides which seats may serve it. A peer's job is never sent to a
 * peer. Whether a seat serves only certain tenants may change while a ticket waits, so each tenant has groups of its own.
 */
export function groupKeyOf({ demand, peer }: Pick<Ticket, "demand" | "peer">): string {
  const { model, workerId = "", exact, exchangeKind = "", excluded, tenant = DEFAULT_TENANT } = demand;
  const own = tenant === DEFAULT_TENANT ? "" : tenant;
  const key = `${model}\n${workerId}\n${exact}\n${exchangeKind}\n${peer === undefined ? "" : "peer"}\n${own}`;
  if (excluded === NONE_EXCLUDED) return key;
  return `${key}\n${[...excluded.sessions].join()}\n${[...excluded.workers].join()}`;
}

/** The tickets of one flow in one group, in the order of their numbers. */
export class Row {
  readonly flow: Flow;
  readonly group: Group;
  readonly tickets: Ticket[] = [];
  #servedAt = 0;

  constructor(flow: Flow, group: Group) {
    this.flow = flow;
    this.group = group;
  }

  get head(): Ticket | undefined {
    return this.tickets[0];
  }

  /** `Clock.elapsed` since which it has waited for its next slot. */
  get waitsSince(): number {
    const { head } = this;
    return Math.max(head?.charge?.admittedAt ?? head?.arrivedAt ?? 0, this.#servedAt, this.flow.member.freeSince);
  }

  add(ticket: Ticket): void {
    // The place is nearly always the end of the row; a job that is sent to another worker goes back to its old place.
    let at = this.tickets.length;
    while (at > 0 && (this.tickets[at - 1]?.number ?? 0) > ticket.number) at -= 1;
    this.tickets.splice(at, 0, ticket);
  }

  remove(ticket: Ticket): void {
    this.tickets.splice(this.tickets.indexOf(ticket), 1);
  }

  /** Notes that one of its tickets has got a slot. */
  served(now: number): void {
    this.#servedAt = now;
  }
}
