import { NONE_EXCLUDED } from "../excluded.ts";
import type { SeatModel } from "../seat.ts";
import type { Route, RouteReason } from "./route.ts";
import type { Accepts, Choice, RankedSeats, RouteDemand, RoutePolicy } from "./route-policy.ts";

/** Sends each job to the worker with the least part of its slots held. It learns nothing. */
export class LeastLoaded implements RoutePolicy {
  levelOf({ seat }: SeatModel): number {
    return seat.load;
  }

  choose(seats: RankedSeats, demand: RouteDemand, accepts: Accepts | undefined): Choice | undefined {
    const to = seats.first(accepts);
    return to && { to, route: explain(seats, demand, "least_loaded") };
  }

  admits(): boolean {
    return true;
  }

  explain(_candidate: SeatModel, seats: RankedSeats, demand: RouteDemand): Route {
    return explain(seats, demand, "first_free");
  }
}

function explain(seats: RankedSeats, demand: RouteDemand, usual: RouteReason): Route {
  if (demand.excluded !== NONE_EXCLUDED) return { reason: "retry" };
  return { reason: seats.isOnly(demand) ? "only_worker" : usual };
}
