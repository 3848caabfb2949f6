import type { CancelTimer } from "../../../system/deps.ts";
import type { Charge } from "../../charge.ts";
import type { Ticket } from "../../ticket.ts";

/** A key with limits, and its tickets that wait in one pool. */
export class WaitingKey {
  readonly caller: Ticket["caller"];
  /** The charge of the latest ticket that waits, which tells about the limits of the key. */
  charge: Charge;
  /** The group that it is in, by the name that its charge had for it; undefined if it is in none. */
  group: string | undefined;
  /** The tickets that the limits have not admitted yet, in the order of their numbers. */
  readonly pending: Ticket[] = [];
  /** The admitted tickets, which the inner policy has. */
  readonly admitted = new Set<Ticket>();
  /** Whether the inner policy holds the admitted tickets back. */
  isHeld = false;
  /** Whether a limit that no other key shares has been among the reasons since then. */
  isHeldByOwn = false;
  cancelTimer: CancelTimer | undefined;

  constructor(caller: Ticket["caller"], charge: Charge) {
    this.caller = caller;
    this.charge = charge;
  }

  /** Whether none of its tickets waits. */
  get isEmpty(): boolean {
    return this.pending.length === 0 && this.admitted.size === 0;
  }

  /** Takes the charge of a ticket that still waits: only those follow the key to other limits. */
  renewCharge(): void {
    let latest = this.pending.at(-1);
    if (!latest) for (const ticket of this.admitted) latest = ticket;
    this.charge = latest?.charge ?? this.charge;
  }

  /** Adds a ticket at the place that its number gives it. */
  addPending(ticket: Ticket): void {
    let at = this.pending.length;
    while (at > 0 && (this.pending[at - 1]?.number ?? 0) > ticket.number) at -= 1;
    this.pending.splice(at, 0, ticket);
  }

  /** Removes the first pending ticket and all others of its request, and returns them. */
  takeRequest(): readonly Ticket[] {
    const [first] = this.pending;
    const tickets = this.pending.filter(({ charge }) => charge === first?.charge);
    for (const ticket of tickets) this.removePending(ticket);
    return tickets;
  }

  /** Returns whether the ticket was pending. */
  removePending(ticket: Ticket): boolean {
    const at = this.placeOf(ticket);
    if (at < 0) return false;
    this.pending.splice(at, 1);
    return true;
  }

  /** Returns the index of a pending ticket; -1 for any other. */
  placeOf({ number }: Ticket): number {
    let [low, high] = [0, this.pending.length - 1];
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const found = this.pending[middle]?.number ?? 0;
      if (found === number) return middle;
      if (found < number) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }
}
