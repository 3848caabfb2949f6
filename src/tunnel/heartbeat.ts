import type { CancelTimer, Clock } from "../system/deps.ts";
import { CLOSES, type Close } from "../wire/closes.ts";

/** A link that can be pinged and closed. */
export interface Beating {
  /** `Clock.elapsed` of the last sign of life. */
  readonly lastHeardAt: number;
  /** The interval in milliseconds of the peer's own heartbeats; undefined if nothing is known of it. */
  readonly beatsEveryMs?: number | undefined;
  ping(): void;
  close(close: Close): void;
}

/** Silent intervals after which a peer counts as gone: 45 s at the default of 15 s (docs/protocol.md). */
const MISSED = 3;
/** Missed heartbeats of its own after which a peer counts as gone sooner: 20 s for a legacy agent. */
const MISSED_BEATS = 4;
/** A step that comes this many steps late shows that the whole process stood still. */
const FROZEN_STEPS = 5;
/** Steps in one interval. Each step pings its share of the sessions, so that thousands of pings never leave in one burst. */
const STEPS = 15;

/**
 * Pings every member once per interval and closes a member that was silent for three, or for four of its own heartbeats, at
 * most one step late. One timer serves all.
 */
export class Heartbeat {
  readonly #clock: Clock;
  readonly #intervalMs: number;
  readonly #shares: readonly Set<Beating>[] = Array.from({ length: STEPS }, () => new Set<Beating>());
  #next = 0;
  #step = 0;
  #stop: CancelTimer | undefined;
  /** `Clock.elapsed` of the last step. */
  #steppedAt = 0;

  constructor(clock: Clock, intervalMs: number) {
    this.#clock = clock;
    this.#intervalMs = intervalMs;
  }

  /** Starts beating for a member; the returned function ends it. */
  add(member: Beating): () => void {
    const share = this.#shares[this.#next % STEPS];
    this.#next += 1;
    share?.add(member);
    this.#stop ??= this.#startBeating();
    return () => share?.delete(member);
  }

  stop(): void {
    this.#stop?.();
    this.#stop = undefined;
  }

  #startBeating(): CancelTimer {
    this.#steppedAt = this.#clock.elapsed();
    return this.#clock.every(this.#intervalMs / STEPS, () => this.#beat());
  }

  #beat(): void {
    const now = this.#clock.elapsed();
    // This process stood still, as a suspended machine does. What its members sent meanwhile is still unread.
    const wasFrozen = now - this.#steppedAt >= FROZEN_STEPS * (this.#intervalMs / STEPS);
    this.#steppedAt = now;
    const due = this.#shares[this.#step % STEPS];
    this.#step += 1;
    // Every step checks all members, which costs microseconds; checking only its share would notice silence up to one
    // interval late. Members that are deleted during the loop are skipped by the set's iterator.
    for (const share of this.#shares) {
      for (const member of share) {
        if (!wasFrozen && now - member.lastHeardAt >= this.#patienceWith(member)) member.close(CLOSES.no_sign_of_life);
        else if (share === due) member.ping();
      }
    }
  }

  /** The silence in milliseconds after which a member counts as gone. */
  #patienceWith({ beatsEveryMs = Number.POSITIVE_INFINITY }: Beating): number {
    return Math.min(MISSED * this.#intervalMs, MISSED_BEATS * beatsEveryMs);
  }
}
