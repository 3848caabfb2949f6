import { NONE_EXCLUDED } from "../excluded.ts";
import type { SeatModel } from "../seat.ts";
import { FIRST_FREE, ONLY_WORKER, RETRY, type Route } from "./route.ts";
import type { Accepts, Choice, RankedSeats, RouteDemand, RoutePolicy } from "./route-policy.ts";

const LEAST_LOADED: Route = { reason: "least_loaded" };

/** Sends each job to the worker with the least part of its slots held. It learns nothing. */
export class LeastLoaded implements RoutePolicy {
  levelOf({ seat }: SeatModel): number {
    return seat.load;
  }

  choose(seats: RankedSeats, demand: RouteDemand, accepts: Accepts | undefined): Choice | undefined {
    const to = seats.first(accepts);
    return to && { to, route: explain(seats, demand, LEAST_LOADED) };
  }

  admit(_candidate: SeatModel, seats: RankedSeats, demand: RouteDemand): Route {
    return explain(seats, demand, FIRST_FREE);
  }
}

function explain(seats: RankedSeats, demand: RouteDemand, usual: Route): Route {
  if (demand.excluded !== NONE_EXCLUDED) return RETRY;
  return seats.ready === 1 ? ONLY_WORKER : usual;
}
