import type { Pool } from "../pool/pool.ts";
import type { Seat } from "../pool/seat.ts";
import { isDoctorModel } from "../wire/names.ts";
import { toWaitingCallers, type WaitingCaller } from "./caller-state.ts";
import type { ModelJobs } from "./job-state.ts";
import type { ModelCards } from "./model-cards.ts";
import type { ModelFigures } from "./model-figures.ts";
import { tenths } from "./worker-state.ts";

/** One model in the State API, under its workers' name for it. */
export interface ModelState {
  readonly name: string;
  /** Its kind, as in `/v1/models`: `chat`, `embedding`. Null where its workers name none. */
  readonly type: string | null;
  /** Tokens of the smallest context that any of its workers has for it; null where they say nothing. */
  readonly context_length: number | null;
  readonly workers: number;
  /** How many of them have it in memory, or are loading it; null where none of them says. */
  readonly loaded: number | null;
  /** Free slots of the workers that serve it, which may use them for other models too. */
  readonly slots_free: number;
  readonly slots_total: number;
  readonly inflight: number;
  readonly waiting: number;
  /** The callers whose jobs wait, most jobs first, at most three, and the rest as `(other)`. */
  readonly waiting_by: readonly WaitingCaller[];
  /** Ended jobs for the model. */
  readonly requests_total: number;
  /** Output tokens per second over the last minute, those of running streams included. */
  readonly tokens_per_s: number;
  /** The part of the last minute's prompt tokens that came from caches, from 0 to 1; null where no answer stated it. */
  readonly cached_share: number | null;
}

/** Describes every model that a request may name now. `now` is `Clock.elapsed`. */
export function toModelStates(
  { pool, figures, cards }: { readonly pool: Pool; readonly figures: ModelFigures; readonly cards: ModelCards },
  jobs: ReadonlyMap<string, ModelJobs>,
  now: number,
): readonly ModelState[] {
  const sums = sumUp(pool.seats());
  const names = pool.knownModels().filter((name) => !isDoctorModel(name));
  return names.map((name) => ({
    name,
    type: cards.factsOf(name)?.type ?? null,
    context_length: cards.factsOf(name)?.contextLength ?? null,
    workers: pool.workersOf(name),
    loaded: sums.get(name)?.loaded ?? null,
    slots_free: sums.get(name)?.free ?? 0,
    slots_total: sums.get(name)?.total ?? 0,
    inflight: jobs.get(name)?.inflight ?? 0,
    waiting: jobs.get(name)?.waiting ?? 0,
    waiting_by: toWaitingCallers(jobs.get(name)?.waitingBy),
    requests_total: figures.requests(name),
    tokens_per_s: tenths(figures.speed(name, now)),
    cached_share: figures.cachedShare(name, now),
  }));
}

/** One model over the workers that serve it. */
interface Sums {
  free: number;
  total: number;
  /** Workers that have it loaded; undefined while none says what it has. */
  loaded: number | undefined;
}

function sumUp(seats: Iterable<Seat>): ReadonlyMap<string, Sums> {
  const sums = new Map<string, Sums>();
  for (const seat of seats) {
    const { loaded } = seat.session.offer;
    const isLoaded = loaded && new Set(loaded);
    for (const model of seat.models) {
      const sum = sums.get(model) ?? { free: 0, total: 0, loaded: undefined };
      sums.set(model, sum);
      sum.total += seat.capacity;
      sum.free += Math.max(0, seat.capacity - seat.busy);
      if (isLoaded) sum.loaded = (sum.loaded ?? 0) + (isLoaded.has(model) ? 1 : 0);
    }
  }
  return sums;
}
