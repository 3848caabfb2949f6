import { RecentOutcomes } from "../recent-outcomes.ts";

/** The end of an attempt that was the worker's failure. */
export interface FailedAttempt {
  readonly reason: string;
  /** `Clock.elapsed` at which the worker got the job. */
  readonly startedAt: number;
  /** The name of the caller whose job it was. */
  readonly caller?: string;
}

/** The time for which a worker is out, because it failed too often. */
export interface Ejection {
  /** The last failure, in the server's words. */
  readonly reason: string;
  /** `Clock.elapsed` at which it went out. */
  readonly since: number;
  /** `Clock.elapsed` from which it gets one job as a probe, which shows whether it is back. */
  readonly until: number;
  /** How many ejections there were since it last worked for five minutes, this one included. */
  readonly times: number;
}

/** `extended`: it failed its probe. */
export type HealthChange = "ejected" | "extended" | "restored";

/** Fast failures in a row that eject a worker. A worker that fails at once always seems free, so it attracts jobs. */
const FAST_IN_A_ROW = 5;
/** A failure within this time is fast. A worker that fails later holds its slot meanwhile, so it attracts nothing. */
const FAST_MS = 10_000;
/** Failures among the last twenty that eject a worker: more than half. */
const MOST_OF_TWENTY = 11;
/** The first time out; each further one is twice as long. */
export const FIRST_OUT_MS = 5000;
export const LONGEST_OUT_MS = 5 * 60_000;
/** A job that is to bring a worker back and has not ended by then is joined by another one: it may be a long answer. */
export const PROBE_MS = 10_000;
/** The least time between two early probes of a worker that reconnects. It may have been repaired, or it may be flapping. */
const COMEBACK_MS = 60_000;

/**
 * The health of a worker, or of one model on it: whether it is out, and when it gets a probe. It knows no other workers, so
 * its users say whether another one could take over.
 */
export class Health {
  #recent = new RecentOutcomes();
  #fastInARow = 0;
  /** The caller of all failures among the recent outcomes; undefined if there are several, or none. */
  #onlyCaller: string | undefined;
  #ejection: Ejection | undefined;
  /** `due`: the next job is its probe. `probing`: a probe is running. */
  #phase: "in" | "out" | "due" | "probing" = "in";
  #probedAt = Number.NEGATIVE_INFINITY;
  #restoredAt = Number.NEGATIVE_INFINITY;
  #lastTimes = 0;
  #cameBackAt = Number.NEGATIVE_INFINITY;

  /** The current ejection; undefined for a worker that is not out. */
  get ejection(): Ejection | undefined {
    return this.#ejection;
  }

  get isOut(): boolean {
    return this.#phase !== "in";
  }

  /** Whether it is out and may get no job now: its time out is not over, or a probe has just begun. */
  get isSuspended(): boolean {
    return this.#phase === "out" || this.#phase === "probing";
  }

  /** Whether anything is known that a new session of the worker should start with. */
  get isWorthKeeping(): boolean {
    return this.#recent.failures > 0 || this.#lastTimes > 0;
  }

  /** Returns the caller of all recent failures if one more of this caller comes; undefined if it would be one of several. */
  onlyCallerWith(caller: string | undefined): string | undefined {
    return this.#recent.failures === 0 || this.#onlyCaller === caller ? caller : undefined;
  }

  /** Counts a job that the worker served well. `startedAt` and `now` are `Clock.elapsed`. */
  worked(startedAt: number, now: number): "restored" | undefined {
    this.#recent.add(false);
    this.#fastInARow = 0;
    // A job from before its failures does not show that they are over.
    if (!this.#ejection || startedAt < this.#ejection.since) return undefined;
    this.#ejection = undefined;
    this.#phase = "in";
    this.#recent = new RecentOutcomes();
    this.#restoredAt = now;
    return "restored";
  }

  /** Counts a failure. With `mayEject` false, because no other worker could take over, it ejects nothing. */
  failed(
    { reason, startedAt, caller }: FailedAttempt,
    now: number,
    mayEject: boolean,
  ): "ejected" | "extended" | undefined {
    this.#onlyCaller = this.onlyCallerWith(caller);
    this.#recent.add(true);
    if (now - startedAt < FAST_MS) this.#fastInARow += 1;
    if (this.#ejection) {
      // The other jobs that fail meanwhile were there before, or came because all workers of the model are out.
      if (startedAt < this.#ejection.until) return undefined;
      this.#eject(reason, this.#ejection.since, now);
      return "extended";
    }
    const isBad = this.#fastInARow >= FAST_IN_A_ROW || this.#recent.failures >= MOST_OF_TWENTY;
    if (!isBad || !mayEject) return undefined;
    if (now - this.#restoredAt >= LONGEST_OUT_MS) this.#lastTimes = 0;
    this.#eject(reason, now, now);
    return "ejected";
  }

  /** Lets the next job be a probe if the time out, or the time for the running probe, is over. Does nothing before that. */
  elapse(now: number): void {
    const isOver = this.#phase === "out" && this.#ejection !== undefined && now >= this.#ejection.until;
    if (isOver || (this.#phase === "probing" && now - this.#probedAt >= PROBE_MS)) this.#phase = "due";
  }

  /** Notes that a job has begun. Returns whether the job is a probe. */
  probe(now: number): boolean {
    if (this.#phase !== "due") return false;
    this.#phase = "probing";
    this.#probedAt = now;
    return true;
  }

  /** Notes that a probe has ended, whether or not it said anything of the worker. Returns whether the next job is one now. */
  endProbe(): boolean {
    if (this.#phase !== "probing") return false;
    this.#phase = "due";
    return true;
  }

  /** Notes that the worker has reconnected. It may have been repaired, so it comes back soon, at most once a minute. */
  reconnected(now: number): void {
    if (!this.#ejection || now - this.#cameBackAt < COMEBACK_MS) return;
    this.#cameBackAt = now;
    const until = Math.min(this.#ejection.until, now + FIRST_OUT_MS);
    this.#ejection = { ...this.#ejection, until };
  }

  #eject(reason: string, since: number, now: number): void {
    const outMs = Math.min(FIRST_OUT_MS * 2 ** this.#lastTimes, LONGEST_OUT_MS);
    this.#lastTimes += 1;
    this.#ejection = { reason, since, until: now + outMs, times: this.#lastTimes };
    this.#phase = "out";
    this.#fastInARow = 0;
  }
}
