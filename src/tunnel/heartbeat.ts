import type { CancelTimer, Clock } from "../system/deps.ts";
import { CLOSES, type Close } from "../wire/closes.ts";

/** What can be kept alive. */
export interface Beating {
  /** `Clock.elapsed` of the last sign of life. */
  readonly lastHeardAt: number;
  ping(): void;
  close(close: Close): void;
}

/** Missed intervals after which a peer counts as gone: 45 s at the default of 15 s (docs/protocol.md). */
const MISSED = 3;
/** Steps of one interval. Each pings its share of the sessions, so that thousands of pings never leave in one burst. */
const STEPS = 15;

/** Pings every member once an interval and closes those silent for three, a step late at most. One timer for all of them. */
export class Heartbeat {
  readonly #clock: Clock;
  readonly #intervalMs: number;
  readonly #shares: readonly Set<Beating>[] = Array.from({ length: STEPS }, () => new Set<Beating>());
  #next = 0;
  #step = 0;
  #stop: CancelTimer | undefined;

  constructor(clock: Clock, intervalMs: number) {
    this.#clock = clock;
    this.#intervalMs = intervalMs;
  }

  /** Starts beating for a member; the returned function ends it. */
  add(member: Beating): () => void {
    const share = this.#shares[this.#next % STEPS];
    this.#next += 1;
    share?.add(member);
    this.#stop ??= this.#clock.every(this.#intervalMs / STEPS, () => this.#beat());
    return () => share?.delete(member);
  }

  stop(): void {
    this.#stop?.();
    this.#stop = undefined;
  }

  #beat(): void {
    const due = this.#shares[this.#step % STEPS];
    this.#step += 1;
    const silentSince = this.#clock.elapsed() - MISSED * this.#intervalMs;
    // All are looked at every step, which costs microseconds: with its share alone, a peer would be found silent up to an
    // interval late. A set leaves out members that are deleted while it is walked.
    for (const share of this.#shares) {
      for (const member of share) {
        if (member.lastHeardAt <= silentSince) member.close(CLOSES.no_sign_of_life);
        else if (share === due) member.ping();
      }
    }
  }
}
