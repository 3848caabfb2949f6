import { WINDOW_MS } from "../figures/sliding-sum.ts";
import type { Clock } from "../system/deps.ts";

/** How often values that change by themselves count as a change. Each change sends the whole state to every viewer. */
const STEP_MS = 5000;

/**
 * Counts the changes that no event announces: the load that workers report in heartbeats, and rates that fall because
 * nothing is added to them.
 */
export class Drift {
  readonly #clock: Clock;
  #revision = 0;
  #steppedAt = 0;
  #seenHeartbeatAt = 0;
  #outputAt = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get revision(): number {
    return this.#revision;
  }

  /** Notes that output was counted, so that rates move. `now` is `Clock.elapsed`. */
  output(now: number): void {
    this.#outputAt = now;
  }

  /** Looks for changes. MUST be called once a second, with the time of the newest heartbeat of any worker. */
  look(lastHeartbeatAt: number): void {
    const now = this.#clock.elapsed();
    if (now - this.#steppedAt < STEP_MS) return;
    // One step more than the window, so that the last one shows the rate at zero.
    const isRateMoving = now - this.#outputAt <= WINDOW_MS + 2 * STEP_MS;
    if (lastHeartbeatAt === this.#seenHeartbeatAt && !isRateMoving) return;
    this.#steppedAt = now;
    this.#seenHeartbeatAt = lastHeartbeatAt;
    this.#revision += 1;
  }
}
