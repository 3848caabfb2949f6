import { lineOf } from "../lines.ts";
import type { Eviction, OpenSeat, QueuePolicy } from "../queue-policy.ts";
import type { Ticket } from "../ticket.ts";

/** Serves tickets in order of arrival, regardless of their callers. There is one line for each model or worker in demand. */
export class FirstCome implements QueuePolicy {
  readonly #capacity: number;
  /** By their names, each in the order of its tickets' numbers; none is empty. */
  readonly #lines = new Map<string, Ticket[]>();
  #length = 0;

  /** `capacity` bounds how many tickets wait, apart from those that were accepted before and those of peers. */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  mayBegin(): boolean {
    return true;
  }

  evict(newcomer: Ticket): Eviction | undefined {
    return this.#length < this.#capacity ? undefined : { ticket: newcomer };
  }

  join(ticket: Ticket): void {
    const name = lineOf(ticket.demand);
    const line = this.#lines.get(name);
    if (ticket.peer === undefined) this.#length += 1;
    if (!line) {
      this.#lines.set(name, [ticket]);
      return;
    }
    // Nearly always the end of the line; a job that is sent elsewhere walks to its old place.
    let at = line.length;
    while (at > 0 && (line[at - 1]?.number ?? 0) > ticket.number) at -= 1;
    line.splice(at, 0, ticket);
  }

  leave(ticket: Ticket): void {
    const name = lineOf(ticket.demand);
    const line = this.#lines.get(name);
    const at = line?.indexOf(ticket) ?? -1;
    if (!line || at < 0) return;
    line.splice(at, 1);
    if (line.length === 0) this.#lines.delete(name);
    if (ticket.peer === undefined) this.#length -= 1;
  }

  next(seat: OpenSeat): Ticket | undefined {
    let oldest: Ticket | undefined;
    for (const name of seat.lines) {
      const ticket = this.#lines.get(name)?.find((each) => seat.serves(each));
      if (ticket && (!oldest || ticket.number < oldest.number)) oldest = ticket;
    }
    return oldest;
  }

  begin(): void {}

  end(): void {}

  position(ticket: Ticket): number {
    return (this.#lines.get(lineOf(ticket.demand))?.indexOf(ticket) ?? -1) + 1;
  }

  flows(): readonly [] {
    return [];
  }
}
