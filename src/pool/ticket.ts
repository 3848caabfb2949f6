import type { Caller } from "../auth/caller.ts";
import type { Demand } from "./directory.ts";

/** A job's place in line for a slot. It is one and the same from the job's start to its end, however often the job waits. */
export interface Ticket {
  /** The order in which tickets were issued; no two of a pool have the same. */
  readonly number: number;
  readonly caller: Caller;
  /** `Clock.elapsed` at the job's start. */
  readonly arrivedAt: number;
  /** What the job needs now. After a worker has failed the job, that worker is among the exclusions. */
  readonly demand: Demand;
  /** Whether the request has had a slot before. Such a ticket is never turned away by a full queue. */
  readonly wasAccepted: boolean;
}

/** The ticket as its pool and its job write it. */
export interface JobTicket extends Ticket {
  demand: Demand;
  wasAccepted: boolean;
  /** `Clock.elapsed` at which the job stops waiting; undefined until it waits. */
  expiresAt: number | undefined;
}
