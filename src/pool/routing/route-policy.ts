import type { Needs } from "../able.ts";
import type { SeatModel } from "../seat.ts";
import type { Affinity } from "./affinity.ts";
import type { ModelSpeeds } from "./model-speeds.ts";
import type { Route } from "./route.ts";

/** The part of a demand that a policy may decide by. */
export interface RouteDemand extends Needs {
  readonly affinity?: Affinity | undefined;
}

/** The seats of one model: the part of `ModelSeats` that a policy needs. */
export interface RankedSeats {
  readonly model: string;
  /** How many of them take jobs, busy or not. */
  readonly ready: number;
  /** How many of them take jobs and are not out because they failed too often. */
  readonly healthy: number;
  /** What the speeds of its workers are compared with. */
  readonly speeds: Pick<ModelSpeeds, "isMeasured">;
  /** Whether one that is not out, busy or not, may serve the demand. */
  hasHealthy(demand: RouteDemand): boolean;
  /** Whether one of those that serve the caller's tenant, and no other, takes jobs, busy or not. */
  isOnly(demand: RouteDemand): boolean;
  /** Whether one of those that serve the caller's tenant takes jobs and must load the model first. */
  hasCold(demand: RouteDemand): boolean;
  /** Finds the first seat with room, in the order of `RoutePolicy.levelOf`. Without `accepts`, one seat is looked at. */
  first(accepts?: Accepts): SeatModel | undefined;
  /** Finds a session's seat if it serves the model, with or without room. */
  ofSession(sessionId: string): SeatModel | undefined;
}

/** Returns whether a seat may get the job: its worker has not failed the job, and takes the kind of exchange that it needs. */
export type Accepts = (candidate: SeatModel) => boolean;

/** A seat, the model that it would serve a demand with, and the reason. */
export interface Choice {
  readonly to: SeatModel;
  readonly route: Route;
}

/**
 * Decides which worker gets a job. Which models may serve the job, whether the caller may use them, and who is excluded is
 * settled before: a policy chooses among the seats of one model.
 *
 * All calls are synchronous. A policy MUST be deterministic: time comes from its clock, and nothing is random.
 */
export interface RoutePolicy {
  /**
   * Returns the place of a seat in the ranking of its model: lowest first, equals in the order in which they came to it.
   * Called for each change of the seat, so the number of distinct levels MUST stay small whatever the number of seats.
   */
  levelOf(candidate: SeatModel): number;
  /** Chooses a seat with room that `accepts` takes (any, if undefined); undefined if the job must wait. */
  choose(seats: RankedSeats, demand: RouteDemand, accepts: Accepts | undefined): Choice | undefined;
  /**
   * Returns whether a seat whose slot has become free may get a job that waits. It MUST agree with `choose`, which never
   * chooses a seat that is not admitted, and chooses some seat while one with room is.
   */
  admits(candidate: SeatModel, seats: RankedSeats, demand: RouteDemand): boolean;
  /** Explains why this seat gets a job that waited. */
  explain(candidate: SeatModel, seats: RankedSeats, demand: RouteDemand): Route;
}
