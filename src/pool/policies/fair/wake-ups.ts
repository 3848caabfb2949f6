import type { CancelTimer, Clock } from "../../../system/deps.ts";
import type { Ticket } from "../../ticket.ts";
import { AGING_MS, BACKGROUND, hasAged } from "./aging.ts";
import type { Row } from "./row.ts";

/** The time after a worker's refusal of a job until background jobs are offered the slots of other workers again. */
const RECHECK_MS = 250;

/**
 * Wakes background tickets that are held back although a slot is free, when they may begin without a slot becoming free: they
 * have waited long enough, or a worker had fewer jobs than it seemed to have.
 */
export class WakeUps {
  readonly #clock: Pick<Clock, "after" | "elapsed">;
  readonly #wake: (ticket: Ticket) => void;
  /** The background rows that wait, with their timers; undefined for a row that is not held back any more. */
  readonly #rows = new Map<Row, CancelTimer | undefined>();
  #stopRecheck: CancelTimer | undefined;

  constructor(clock: Pick<Clock, "after" | "elapsed">, wake: (ticket: Ticket) => void) {
    this.#clock = clock;
    this.#wake = wake;
  }

  /** Notes that a ticket has joined or left a row, or that one of its tickets has got a slot. */
  changed(row: Row, now: number): void {
    if (row.flow.urgency !== BACKGROUND) return;
    if (!row.head) {
      this.#rows.get(row)?.();
      this.#rows.delete(row);
      if (this.#rows.size > 0) return;
      this.#stopRecheck?.();
      this.#stopRecheck = undefined;
    } else if (!this.#rows.get(row)) this.#arm(row, now);
  }

  /** Notes that a worker has refused a job, so that the slot which the job held counts as free again. */
  refused(): void {
    if (this.#rows.size === 0) return;
    this.#stopRecheck ??= this.#clock.after(RECHECK_MS, () => {
      this.#stopRecheck = undefined;
      for (const { head } of [...this.#rows.keys()]) if (head) this.#wake(head);
    });
  }

  #arm(row: Row, now: number): void {
    const leftMs = row.waitsSince + AGING_MS - now;
    const stop = leftMs > 0 ? this.#clock.after(leftMs, () => this.#onTime(row)) : undefined;
    this.#rows.set(row, stop);
  }

  #onTime(row: Row): void {
    const now = this.#clock.elapsed();
    this.#rows.set(row, undefined);
    if (!hasAged(row.waitsSince, now)) this.#arm(row, now);
    else if (row.head) this.#wake(row.head);
  }
}
