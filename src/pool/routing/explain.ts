import { NONE_EXCLUDED } from "../excluded.ts";
import type { SeatModel } from "../seat.ts";
import type { Route, RouteReason } from "./route.ts";
import type { RankedSeats, RouteDemand } from "./route-policy.ts";
import { scoreOf } from "./score.ts";

/** Explains why a seat gets a job that no warm worker got. */
export function explainRanked(to: SeatModel, seats: RankedSeats, demand: RouteDemand): Route {
  return { reason: reasonFor(to, seats, demand) ?? comparison(seats, demand), score: rounded(scoreOf(to)) };
}

/** Explains why a seat whose slot has become free gets a job that waited. */
export function explainFreed(to: SeatModel, seats: RankedSeats, demand: RouteDemand): Route {
  return { reason: reasonFor(to, seats, demand) ?? "first_free" };
}

/** Finds what decided before any comparison of load and speed. */
function reasonFor(to: SeatModel, seats: RankedSeats, demand: RouteDemand): RouteReason | undefined {
  if (seats.isOnly(demand)) return "only_worker";
  if (to.isOut) return to.isSuspended ? "none_healthy" : "probe";
  if (demand.excluded !== NONE_EXCLUDED) return "retry";
  return to.isLoaded ? undefined : "must_load";
}

/** A worker that was found by its rank has the model in memory, so those that have not lost by that. */
function comparison(seats: RankedSeats, demand: RouteDemand): RouteReason {
  if (seats.hasCold(demand)) return "loaded";
  return seats.speeds.isMeasured ? "load_and_speed" : "least_loaded";
}

function rounded(score: number): number {
  return Math.round(score * 1000) / 1000;
}
