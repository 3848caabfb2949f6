import type { Caller, CallerClass } from "../auth/caller.ts";
import type { Charge } from "./charge.ts";
import type { Demand } from "./directory.ts";

/** A job's place in the queue for a slot. A job keeps one ticket from its start to its end, however often it waits. */
export interface Ticket {
  /** What the request takes from the limits of its key; absent without limits, and for a job of a peer. */
  readonly charge?: Charge | undefined;
  /** The order in which tickets were issued; no two of a pool have the same. */
  readonly number: number;
  readonly caller: Caller;
  /** The urgency of the job: its caller's, or a lower one that the request has asked for. */
  readonly class: CallerClass;
  /** A digest that identifies the person behind a caller who sends for several; undefined if the request names none. */
  readonly endUser: string | undefined;
  /** `Clock.elapsed` at the job's start. */
  readonly arrivedAt: number;
  /** The job's current requirements. After a worker has failed the job, that worker is among the exclusions. */
  readonly demand: Demand;
  /** Whether the request has had a slot before. If so, a full queue never refuses the ticket. */
  readonly wasAccepted: boolean;
  /**
   * The id of the server that the job waits at. It takes no room in this server's queue. Undefined for a job of this server.
   */
  readonly peer?: string | undefined;
  /** Whether it stands for a job that waits at a peer. Such a job gets another ticket here once it is sent. Absent: no. */
  readonly isStandIn?: boolean;
}

/** The ticket as its pool and its job write it. */
export interface JobTicket extends Ticket {
  demand: Demand;
  wasAccepted: boolean;
  /** `Clock.elapsed` at which the job stops waiting; undefined until it waits. */
  expiresAt: number | undefined;
}
