import { WINDOW_MS } from "../figures/sliding-sum.ts";
import type { Clock } from "../system/deps.ts";

/** How often what changes by itself counts as a change: each makes the whole state travel to everybody who looks. */
const STEP_MS = 5000;

/**
 * Counts the changes that nobody announces: what workers say of their load with each heartbeat, and rates that fall
 * because nothing is added to them.
 */
export class Drift {
  readonly #clock: Clock;
  #revision = 0;
  #steppedAt = 0;
  #seenHeartbeatAt = 0;
  #tokensAt = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get revision(): number {
    return this.#revision;
  }

  /** Tokens were counted. `now` is `Clock.elapsed`. */
  tokens(now: number): void {
    this.#tokensAt = now;
  }

  /** To be called once a second, with the time of the newest heartbeat of any worker. */
  look(lastHeartbeatAt: number): void {
    const now = this.#clock.elapsed();
    if (now - this.#steppedAt < STEP_MS) return;
    // One step more than the window: the last of them shows the rate at zero.
    const isRateMoving = now - this.#tokensAt <= WINDOW_MS + 2 * STEP_MS;
    if (lastHeartbeatAt === this.#seenHeartbeatAt && !isRateMoving) return;
    this.#steppedAt = now;
    this.#seenHeartbeatAt = lastHeartbeatAt;
    this.#revision += 1;
  }
}
