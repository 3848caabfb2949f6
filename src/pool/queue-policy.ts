import type { Caller, CallerClass } from "../auth/caller.ts";
import type { Fault } from "../errors.ts";
import type { Hold } from "./charge.ts";
import type { Demand } from "./directory.ts";
import type { FlowFacts } from "./flow-facts.ts";
import type { Work } from "./seat.ts";
import type { Ticket } from "./ticket.ts";

/**
 * Decides which job of a pool gets a slot next, and which one is refused when too many wait.
 *
 * The pool calls it, for each ticket, in these orders:
 * - a slot is free at once: `mayBegin`, `begin`, `end`;
 * - else: `evict`, `join`, then either `leave` (deadline, client gone, evicted) or, when `next` has named the ticket,
 *   `leave`, `begin`, `end`;
 * - a job that is sent elsewhere: all of this again with the same ticket, after `end` without work.
 *
 * The order among waiting tickets may change while they wait: the pool keeps no copy of it and asks each time. Times are
 * `Clock.elapsed`. All calls are synchronous, and every method but `join`, `leave`, `begin` and `end` MUST leave the
 * policy's state as it is.
 */
export interface QueuePolicy {
  /**
   * Whether a job may take a free slot that no waiting ticket can use, without waiting itself. False makes it wait, for
   * instance because its caller is at a limit. Asked for nearly every job, so it MUST be cheap while nothing waits.
   */
  mayBegin(candidate: Candidate, now: number): boolean;
  /**
   * Names the ticket that must go so that a newcomer can wait: one that waits, or the newcomer. Undefined while there is
   * room. Tickets of peers take no room. It MUST NOT name a ticket that was accepted before, which includes tickets of peers,
   * and is not called for such a newcomer.
   */
  evict(newcomer: Ticket, now: number): Eviction | undefined;
  /** Adds a ticket to the queue. A ticket that comes back MUST get the place that its number gives it. */
  join(ticket: Ticket, now: number): void;
  /** Removes a ticket from the queue. It MUST do nothing for a ticket that does not wait. */
  leave(ticket: Ticket): void;
  /**
   * Names the waiting ticket that gets a free slot of this seat; undefined if none may have it. It MUST name only a ticket
   * that waits and that the seat serves. A ticket that is held back, by its caller's limit for instance, MUST NOT hold up
   * others. The pool asks again while the seat has room.
   */
  next(seat: OpenSeat, now: number): Ticket | undefined;
  /** Reports that a ticket has got a slot of this seat. Each call is followed by one `end`. */
  begin(ticket: Ticket, seat: Pick<OpenSeat, "lines" | "isContended">, now: number): void;
  /**
   * Reports that a ticket has given its slot back. `work` is the job's work; undefined if the worker did not serve it, because
   * the job was sent elsewhere or had nothing to send. Such a job MUST NOT be charged.
   */
  end(ticket: Ticket, work: Work | undefined, now: number): void;
  /** An estimate of how many slots must free before the ticket gets one: 1 is next, 0 means that it does not wait. */
  position(ticket: Ticket, now: number): number;
  /** Returns the limit that holds a waiting ticket back; undefined for one that waits for a slot. Absent without limits. */
  holdOf?(ticket: Ticket): Hold | undefined;
  /** Lists the flows that have jobs or had some in the last minute; none for a policy that does not tell callers apart. */
  flows(now: number): readonly FlowFacts[];
  /** Absent for a policy that does not use service. */
  readonly shared?: SharedService;
}

/** A policy that can hold back all tickets of a caller. */
export interface HoldingPolicy extends QueuePolicy {
  /**
   * Holds the waiting tickets of a caller back, or releases them. Does nothing for a caller without tickets. Returns the
   * tickets that MUST be woken afterwards, in any order. `isWait` tells, at the release, whether they have waited for others
   * while they were held, and not for the caller's own jobs, so that the time makes them more urgent.
   */
  hold(caller: Pick<Caller, "name">, isHeld: boolean, isWait: boolean): readonly Ticket[];
}

/** The service that one flow has received from the workers of one server. */
export interface FlowService {
  /** The model in demand. */
  readonly model: string;
  readonly class: CallerClass;
  readonly tenant: string;
  readonly caller: string;
  readonly endUser: string | undefined;
  /** The weight of the caller. */
  readonly weight: number;
  /** In units of cost. Below 0 if jobs have cost less than was sent before. */
  readonly amount: number;
}

/** A policy that divides slots by what callers have received, over several servers. */
export interface SharedService {
  /** Returns the service that was counted here since the last call. Nothing is collected before the first call. */
  takeService(): readonly FlowService[];
  /**
   * Counts service that a peer has sent as if it had been received here, if workers here serve the model. It MUST replace
   * what was charged here for jobs of this peer that have begun, because their own server counts them.
   */
  addService(peer: string, services: readonly FlowService[], now: number): void;
}

/** A job that requests a slot, with or without a ticket. It has its caller's class and no end user, unless given. */
export interface Candidate extends Pick<Ticket, "caller" | "demand" | "charge"> {
  readonly class?: CallerClass;
  readonly endUser?: string | undefined;
  /** `Clock.elapsed` at the job's start; now, unless given. */
  readonly arrivedAt?: number;
}

export interface Eviction {
  readonly ticket: Ticket;
  /** The error for the refused job; `queue_full` unless given. */
  readonly fault?: Fault;
}

/** A seat with a free slot. */
export interface OpenSeat {
  /**
   * Names the lines (`lineOf`) whose tickets the seat may serve. It serves no ticket of any other line. The array is the
   * same one until the seat's lines change.
   */
  readonly lines: readonly string[];
  /**
   * Whether the seat would serve this ticket. Within a line it may not: the job may exclude it, or have a better choice.
   * Tickets of one line and tenant for the same model and kind of exchange, with the same exclusions, MUST get the same
   * answer.
   */
  serves(ticket: Ticket): boolean;
  /** Whether jobs of other servers wait for its slots that have no tickets in this policy. Absent: no. */
  readonly isContended?: boolean;
  /** The part of a ticket's prompt that the worker probably has in its cache, from 0 to 1. Absent where nobody knows. */
  readonly warmth?: (ticket: Ticket) => number;
}

/** The pool, as its policy sees it. */
export interface QueueHost {
  /**
   * Serves free slots to waiting tickets, starting with those for which this one waits. A policy that held a ticket back
   * MUST call it when the ticket may go for a reason that the pool cannot see: its caller's limit has risen, a rate window
   * has ended, another job of its caller has ended. It calls `next` before it returns: the policy MUST have its state in
   * order before, and MUST NOT call it from within any method but `end`.
   */
  wake(ticket: Ticket): void;
  /**
   * Fails a waiting ticket of this server, because a limit of its caller will hold it back for too long. MUST NOT be called
   * from within any method.
   */
  refuse(ticket: Ticket, fault: Fault): void;
  /** Counts the slots of all ready seats that serve a demand, and how many of them are held. It looks at every seat. */
  loadOf(demand: Demand): { readonly busy: number; readonly slots: number };
}

export type CreateQueuePolicy = (host: QueueHost) => QueuePolicy;
