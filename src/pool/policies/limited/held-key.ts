import type { CancelTimer } from "../../../system/deps.ts";
import type { Charge } from "../../charge.ts";
import type { Ticket } from "../../ticket.ts";

/** One key with limits whose tickets wait in a pool. */
export class HeldKey {
  readonly caller: Ticket["caller"];
  /** The latest charge, to ask about the limits of the key. */
  charge: Charge;
  /** The tickets that no limit per minute has let in yet, by their numbers. */
  readonly door: Ticket[] = [];
  /** The tickets behind the door, which the inner policy has. */
  readonly inside = new Set<Ticket>();
  /** Whether the inner policy holds back those behind the door. */
  isHeld = false;
  cancelTimer: CancelTimer | undefined;

  constructor(caller: Ticket["caller"], charge: Charge) {
    this.caller = caller;
    this.charge = charge;
  }

  /** Whether none of its tickets waits. */
  get isEmpty(): boolean {
    return this.door.length === 0 && this.inside.size === 0;
  }

  /** Puts a ticket at the door, at the place that its number gives it. */
  stand(ticket: Ticket): void {
    let at = this.door.length;
    while (at > 0 && (this.door[at - 1]?.number ?? 0) > ticket.number) at -= 1;
    this.door.splice(at, 0, ticket);
  }

  /** Takes a ticket from the door. Returns false for one that is not there. */
  depart(ticket: Ticket): boolean {
    const at = this.placeOf(ticket);
    if (at < 0) return false;
    this.door.splice(at, 1);
    return true;
  }

  /** Returns the index of a ticket at the door; -1 for one that is not there. */
  placeOf({ number }: Ticket): number {
    let [low, high] = [0, this.door.length - 1];
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const found = this.door[middle]?.number ?? 0;
      if (found === number) return middle;
      if (found < number) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }
}
