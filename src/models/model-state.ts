import type { Pool } from "../pool/pool.ts";
import type { Seat } from "../pool/seat.ts";
import { isDoctorModel } from "../wire/names.ts";
import { toWaitingCallers, type WaitingCaller } from "./caller-state.ts";
import type { ModelJobs } from "./job-state.ts";
import type { ModelCards } from "./model-cards.ts";
import type { ModelFigures } from "./model-figures.ts";
import type { ModelPast, ModelPasts } from "./model-pasts.ts";
import { loadedOn } from "./serving-state.ts";
import { tenths } from "./worker-state.ts";

/** One model in the State API, under its workers' name for it. */
export interface ModelState {
  readonly name: string;
  /** Its kind, as in `/v1/models`: `chat`, `embedding`. Null where its workers name none. */
  readonly type: string | null;
  /** Tokens of the smallest context that any of its workers has for it; null where they say nothing. */
  readonly context_length: number | null;
  /** What all of its workers read, such as `text` and `image`; null where they say nothing. */
  readonly input_modalities: readonly string[] | null;
  readonly workers: number;
  /** How many of them have it in memory, or are loading it; null where none of them says. */
  readonly loaded: number | null;
  /** How many of them get no jobs for it because they failed too often. */
  readonly out: number;
  /** Input tokens per second until the first byte, without those from a cache: the average of the measured workers. */
  readonly prefill_tokens_per_s: number | null;
  /** Output tokens per second of one request: the average of the measured workers. */
  readonly decode_tokens_per_s: number | null;
  /** Free slots of the workers that serve it, which may use them for other models too. */
  readonly slots_free: number;
  readonly slots_total: number;
  readonly inflight: number;
  readonly waiting: number;
  /** The callers whose jobs wait, most jobs first, at most three, and the rest as `(other)`. */
  readonly waiting_by: readonly WaitingCaller[];
  /** Ended jobs for the model. */
  readonly requests_total: number;
  /** Requests that failed since the server started, without those that failed by their client's mistake. */
  readonly failures_total: number;
  /** Output tokens of its answers since the server started. */
  readonly output_tokens_total: number;
  /** From acceptance to the first byte, over the last 256 answers of the last quarter of an hour; null without any. */
  readonly first_byte_p50_ms: number | null;
  readonly first_byte_p95_ms: number | null;
  /** Output tokens per second over the last minute, those of running streams included. */
  readonly tokens_per_s: number;
  /** The part of the last minute's prompt tokens that came from caches, from 0 to 1; null where no answer stated it. */
  readonly cached_share: number | null;
}

export interface ModelStateParts {
  readonly pool: Pool;
  readonly figures: ModelFigures;
  readonly cards: ModelCards;
  readonly pasts: ModelPasts;
}

/** Describes every model that a request may name now. `now` is `Clock.elapsed`. */
export function toModelStates(
  { pool, figures, cards, pasts }: ModelStateParts,
  jobs: ReadonlyMap<string, ModelJobs>,
  now: number,
): readonly ModelState[] {
  const sums = sumUp(pool.seats());
  const names = pool.models.known().filter((name) => !isDoctorModel(name));
  return names.map((name) => ({
    ...toPastFigures(pasts.of(name), now),
    name,
    type: cards.factsOf(name)?.type ?? null,
    context_length: cards.factsOf(name)?.contextLength ?? null,
    input_modalities: cards.factsOf(name)?.inputModalities ?? null,
    workers: pool.models.workersOf(name),
    loaded: sums.get(name)?.loaded ?? null,
    out: sums.get(name)?.out ?? 0,
    prefill_tokens_per_s: averageOf(sums.get(name)?.prefill),
    decode_tokens_per_s: averageOf(sums.get(name)?.decode),
    slots_free: sums.get(name)?.free ?? 0,
    slots_total: sums.get(name)?.total ?? 0,
    inflight: jobs.get(name)?.inflight ?? 0,
    waiting: jobs.get(name)?.waiting ?? 0,
    waiting_by: toWaitingCallers(jobs.get(name)?.waitingBy),
    requests_total: figures.requests(name),
    tokens_per_s: tenths(figures.speed(name, now)),
    cached_share: thousandths(figures.cachedShare(name, now)),
  }));
}

function toPastFigures(past: ModelPast | undefined, now: number) {
  const firstBytes = past?.firstBytes(now);
  return {
    failures_total: past?.totals.failures ?? 0,
    output_tokens_total: past?.totals.output_tokens ?? 0,
    first_byte_p50_ms: firstBytes?.p50 ?? null,
    first_byte_p95_ms: firstBytes?.p95 ?? null,
  };
}

/** One model over the workers that serve it. */
interface Sums {
  free: number;
  total: number;
  /** Workers that have it loaded; undefined while none says what it has. */
  loaded: number | undefined;
  out: number;
  readonly prefill: Average;
  readonly decode: Average;
}

interface Average {
  sum: number;
  count: number;
}

function sumUp(seats: Iterable<Seat>): ReadonlyMap<string, Sums> {
  const sums = new Map<string, Sums>();
  for (const seat of seats) {
    const isTold = loadedOn(seat) !== undefined;
    for (const served of seat.byModel.values()) {
      const sum = sums.get(served.model) ?? createSums();
      sums.set(served.model, sum);
      sum.total += seat.capacity;
      sum.free += Math.max(0, seat.capacity - seat.busy);
      if (isTold) sum.loaded = (sum.loaded ?? 0) + (served.isLoaded ? 1 : 0);
      if (served.isOut) sum.out += 1;
      add(sum.prefill, served.speed?.prefill);
      add(sum.decode, served.speed?.decode);
    }
  }
  return sums;
}

function createSums(): Sums {
  const none = (): Average => ({ sum: 0, count: 0 });
  return { free: 0, total: 0, loaded: undefined, out: 0, prefill: none(), decode: none() };
}

function add(average: Average, value: number | undefined): void {
  if (value === undefined) return;
  average.sum += value;
  average.count += 1;
}

function thousandths(part: number | null): number | null {
  return part === null ? null : Math.round(part * 1000) / 1000;
}

function averageOf(average: Average | undefined): number | null {
  return average && average.count > 0 ? tenths(average.sum / average.count) : null;
}
