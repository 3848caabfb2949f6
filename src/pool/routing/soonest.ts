import type { SeatModel } from "../seat.ts";
import { explainFreed, explainRanked } from "./explain.ts";
import { isWithinGuard } from "./guard.ts";
import type { Route } from "./route.ts";
import type { Accepts, Choice, RankedSeats, RouteDemand, RoutePolicy } from "./route-policy.ts";
import { levelOfContender } from "./score.ts";

/**
 * Sends each job to the worker that will probably serve it soonest: to one that has the prompt in its cache, unless it is
 * busier than the others by more than the guard allows; else to the best by load and measured speed, and of these first to
 * one that has the model in memory. A worker that is out gets jobs only if all workers of the model are, apart from the one
 * that shows whether it is back. No job waits for a warm worker while another one has room.
 */
export class Soonest implements RoutePolicy {
  /** The last load of a worker of usual speed that has the model, and its level: a worker is ranked for several models in a row. */
  readonly #usual = { load: Number.NaN, level: 0 };

  levelOf(candidate: SeatModel): number {
    if (candidate.isOut && !candidate.isSuspended) return PROBE_LEVEL;
    if (candidate.pace !== 1 || !candidate.isLoaded || candidate.isSuspended) return levelOfContender(candidate);
    const { load } = candidate.seat;
    if (load !== this.#usual.load) {
      this.#usual.load = load;
      this.#usual.level = levelOfContender(candidate);
    }
    return this.#usual.level;
  }

  choose(seats: RankedSeats, demand: RouteDemand, accepts: Accepts | undefined): Choice | undefined {
    const best = seats.first(accepts);
    // Suspended workers are last in the ranking, so all others are busy or must not get the job.
    if (!best || !this.admits(best, seats, demand)) return undefined;
    return warmChoice(seats, demand, accepts, best) ?? { to: best, route: explainRanked(best, seats, demand) };
  }

  admits(candidate: SeatModel, seats: RankedSeats, demand: RouteDemand): boolean {
    return !candidate.isSuspended || !seats.hasHealthy(demand);
  }

  explain(candidate: SeatModel, seats: RankedSeats, demand: RouteDemand): Route {
    return warmRoute(candidate, seats, demand) ?? explainFreed(candidate, seats, demand);
  }
}

/**
 * Before all levels: a worker that is due for a probe gets the next job, so that it is back soon, however fast the others are
 * and whatever it was measured at while it failed.
 */
const PROBE_LEVEL = Number.NEGATIVE_INFINITY;

/**
 * The part of its slots by which a worker must be less busy than one that has as much of the prompt. A prompt that many
 * share is on several workers, and those with few slots must share its requests; but where slots are many, requests that
 * stay together leave the other caches to other prompts.
 */
const MUCH_LESS_LOAD = 0.2;

/** Finds the best warm worker that may get the job, although `best` would get it otherwise: usually the first. */
function warmChoice(
  seats: RankedSeats,
  { affinity }: RouteDemand,
  accepts: Accepts | undefined,
  best: SeatModel,
): Choice | undefined {
  if (!affinity || seats.ready === 1) return undefined;
  let found: Choice | undefined;
  for (const { sessionId, source, share } of affinity.candidates(seats.model)) {
    if (found && share !== found.route.share) break;
    const to = seats.ofSession(sessionId);
    if (!to?.seat.hasRoom || to.isOut || !to.isLoaded || (accepts && !accepts(to))) continue;
    const isBetter = !found || found.to.seat.load - to.seat.load > MUCH_LESS_LOAD;
    if (isBetter && isWithinGuard(to.seat, best.load)) found = { to, route: { reason: source, share } };
  }
  return found;
}

/** Explains that a freed seat is warm for the job; undefined if it is not. */
function warmRoute(candidate: SeatModel, seats: RankedSeats, { affinity }: RouteDemand): Route | undefined {
  if (!affinity || seats.ready === 1 || candidate.isOut || !candidate.isLoaded) return undefined;
  const { id } = candidate.seat.session;
  const warm = affinity.candidates(seats.model).find(({ sessionId }) => sessionId === id);
  return warm && { reason: warm.source, share: warm.share };
}
