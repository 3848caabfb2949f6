import type { Candidate } from "./queue-policy.ts";
import type { JobTicket } from "./ticket.ts";
import { lowerOf } from "./urgency.ts";

/** Numbers for tickets in steps of a microsecond: enough for a million jobs a second. */
const PER_MS = 1000;
/** How many jobs that arrived at the same time at other servers can get different numbers. */
const STEPS = 64;

/**
 * Issues the tickets of a pool. Their numbers are in the order of issue. They grow with time, so that a job that has waited at
 * another server can get a number between those of jobs that arrived before and after it.
 */
export class Tickets {
  readonly #startedAt: number;
  #last = 0;
  #step = 0;

  /** All times are `Clock.elapsed`. */
  constructor(startedAt: number) {
    this.#startedAt = startedAt;
  }

  /**
   * Issues the ticket of a job that arrives now. With `wasAccepted`, another job of the same request has had a slot. A class
   * above the caller's counts as the caller's.
   */
  issue(
    { demand, caller, endUser, charge, class: wished }: Candidate,
    arrivedAt: number,
    wasAccepted: boolean,
  ): JobTicket {
    return {
      number: this.#next(arrivedAt),
      caller,
      class: lowerOf(caller.class, wished),
      endUser,
      charge,
      arrivedAt,
      demand,
      wasAccepted,
      expiresAt: undefined,
    };
  }

  /** Issues the ticket of a job that has had a slot, or is on its way to one, and that arrived at this time at a peer. */
  issueForPeer(candidate: Candidate, peer: string, arrivedAt: number): JobTicket {
    return { ...this.issue(candidate, arrivedAt, true), number: this.#between(arrivedAt), peer };
  }

  /** Returns a whole number above all that were returned before. */
  #next(now: number): number {
    this.#last = Math.max(this.#last + 1, Math.ceil((now - this.#startedAt) * PER_MS));
    return this.#last;
  }

  /** Returns a number for a job that arrived at this time at another server. It is not a whole number. */
  #between(arrivedAt: number): number {
    this.#step = (this.#step % (STEPS - 1)) + 1;
    return Math.floor((arrivedAt - this.#startedAt) * PER_MS) + this.#step / STEPS;
  }
}
