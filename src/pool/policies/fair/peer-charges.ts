import type { CancelTimer, Clock } from "../../../system/deps.ts";
import type { Counter } from "./counter.ts";
import type { FairOrder } from "./fair-order.ts";

/**
 * How long the charge of an ended job is kept if its server sends nothing: two periods in which servers send their charges.
 */
const KEEP_MS = 2000;

/** What a flow was charged for a job, when it began. */
export interface Charge {
  readonly order: FairOrder;
  readonly leaf: Counter;
  /** The weight of the caller at that time. */
  readonly weight: number;
  /** In units of cost. */
  readonly amount: number;
}

interface Owed {
  readonly charge: Charge;
  readonly peer: string;
  readonly endedAt: number;
}

/**
 * The charges of ended jobs of peers. The server of a job counts it, and sends its charges once a second. Until then the
 * charge here is kept, so that a caller whose jobs are short does not get more than others in the meantime.
 */
export class PeerCharges {
  readonly #clock: Pick<Clock, "after" | "elapsed">;
  /** In the order in which the jobs have ended. */
  #owed: Owed[] = [];
  #cancelTimer: CancelTimer | undefined;

  constructor(clock: Pick<Clock, "after" | "elapsed">) {
    this.#clock = clock;
  }

  /** Keeps the charge of a job that has ended now. */
  keep(peer: string, charge: Charge): void {
    this.#owed.push({ charge, peer, endedAt: this.#clock.elapsed() });
    this.#cancelTimer ??= this.#clock.after(KEEP_MS, () => this.#sweep());
  }

  /** Takes back what was charged for jobs of a peer, which has now sent its own charges. */
  refund(peer: string): void {
    this.#refundIf((owed) => owed.peer === peer);
  }

  #sweep(): void {
    this.#cancelTimer = undefined;
    const now = this.#clock.elapsed();
    this.#refundIf(({ endedAt }) => endedAt + KEEP_MS <= now);
    const [next] = this.#owed;
    if (next) this.#cancelTimer = this.#clock.after(next.endedAt + KEEP_MS - now, () => this.#sweep());
  }

  #refundIf(isOver: (owed: Owed) => boolean): void {
    const now = this.#clock.elapsed();
    this.#owed = this.#owed.filter((owed) => {
      if (!isOver(owed)) return true;
      refund(owed.charge, now);
      return false;
    });
  }
}

/** Takes a charge back. `now` is `Clock.elapsed`. */
export function refund({ order, leaf, weight, amount }: Charge, now: number): void {
  order.correct(leaf, weight, amount, 0, now);
}
