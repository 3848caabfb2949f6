import {
  type Details,
  type JobDetail,
  MAX_DETAIL_JOBS,
  MAX_MODEL_WORKERS,
  type ModelDetail,
  type ModelWorker,
  type WorkerDetail,
} from "../plugin/details.ts";
import { NO_CAUSES } from "../plugin/failure-cause.ts";
import type { RestrictionState } from "../plugin/restriction-state.ts";
import { NONE_EXCLUDED } from "../pool/excluded.ts";
import type { RegisteredJob } from "../pool/jobs-registry.ts";
import type { Pool } from "../pool/pool.ts";
import type { Seat } from "../pool/seat.ts";
import type { Clock } from "../system/deps.ts";
import { statusesIn } from "../wire/model-status.ts";
import type { AreaPasts } from "./area-pasts.ts";
import { toJobDetail } from "./job-detail.ts";
import type { Ledger } from "./ledger.ts";
import type { ModelCards } from "./model-cards.ts";
import { momentOf } from "./moment.ts";
import { statusOf, tenths, toWorkerState } from "./worker-state.ts";

export interface AreaDetailsOptions {
  readonly pluginId: string;
  readonly clock: Clock;
  readonly pool: Pool;
  readonly ledger: Ledger;
  readonly pasts: AreaPasts;
  readonly cards: ModelCards;
  /** Returns all restrictions of the area. */
  readonly restrictions: () => readonly RestrictionState[];
}

/** Describes single workers, models and jobs of an area, each when it is asked for. */
export class AreaDetails implements Details {
  readonly #options: AreaDetailsOptions;

  constructor(options: AreaDetailsOptions) {
    this.#options = options;
  }

  worker(id: string): WorkerDetail | undefined {
    const { pluginId, pool, pasts, clock, restrictions } = this.#options;
    const past = pasts.workers.of(id);
    const seat = pool.seatOf(id);
    const state = seat ? toWorkerState(seat, momentOf(clock)) : past?.lastState;
    if (!past || !state) return undefined;
    return {
      id,
      plugin: pluginId,
      name: past.name,
      connected: seat !== undefined,
      worker: { ...state },
      restriction: restrictions().find((each) => each.id === id) ?? null,
      sessions: past.sessions(),
      jobs: this.jobsOf(id),
      errors: past.errors(),
      history: past.history(),
    };
  }

  jobsOf(workerId: string): readonly JobDetail[] {
    return this.#jobs(({ claim, isWaiting }) => !isWaiting && claim?.worker.id === workerId);
  }

  model(name: string): ModelDetail | undefined {
    const { pool, pasts } = this.#options;
    const model = pool.models.resolve({ model: name, exact: false, excluded: NONE_EXCLUDED }) ?? name;
    if (!pool.models.known().includes(model) && !pasts.models.of(model)) return undefined;
    return this.#toModelDetail(model);
  }

  job(id: string): JobDetail | undefined {
    const { pool } = this.#options;
    const job = pool.jobs.find(id);
    return job && this.#toJob(job);
  }

  #toModelDetail(model: string): ModelDetail {
    const { pluginId, pool, clock, pasts, cards, ledger } = this.#options;
    const now = clock.elapsed();
    const facts = cards.factsOf(model);
    const past = pasts.models.of(model);
    const serving = [...pool.seats()].filter((seat) => seat.byModel.has(model));
    const jobs = [...pool.jobs.all()].filter((job) => job.model === model);
    const waiting = jobs.filter(({ isWaiting }) => isWaiting);
    const firstBytes = past?.firstBytes(now) ?? { p50: null, p95: null };
    const cached = ledger.models.cachedShare(model, now);
    return {
      id: model,
      plugin: pluginId,
      type: facts?.type ?? null,
      context_length: facts?.contextLength ?? null,
      max_context_length: facts?.maxContextLength ?? null,
      input_modalities: facts?.inputModalities ?? [],
      output_modalities: facts?.outputModalities ?? [],
      workers: serving.slice(0, MAX_MODEL_WORKERS).map((seat) => toModelWorker(seat, model)),
      workers_total: serving.length,
      slots_free: serving.reduce((free, seat) => free + Math.max(0, seat.capacity - seat.busy), 0),
      slots_total: serving.reduce((total, seat) => total + seat.capacity, 0),
      inflight: jobs.length - waiting.length,
      waiting: waiting.length,
      oldest_waiting_ms:
        waiting.length === 0 ? null : Math.round(Math.max(...waiting.map(({ ticket }) => now - ticket.arrivedAt))),
      queue: { waiting: pool.queueLength, capacity: pool.queueCapacity },
      tokens_per_s: tenths(ledger.models.speed(model, now)),
      cached_share: cached === null ? null : Math.round(cached * 1000) / 1000,
      first_byte_p50_ms: firstBytes.p50,
      first_byte_p95_ms: firstBytes.p95,
      totals: past ? { ...past.totals } : NO_TOTALS,
      causes: past ? { ...past.causes } : NO_CAUSES,
      errors: past?.errors() ?? [],
      jobs: this.#jobs((job) => job.model === model),
      history: past?.history() ?? pasts.models.emptyHistory(),
    };
  }

  /** Describes the first jobs of a kind: running ones before waiting ones, each from the oldest on. */
  #jobs(isOne: (job: RegisteredJob) => boolean): readonly JobDetail[] {
    const running: RegisteredJob[] = [];
    const waiting: RegisteredJob[] = [];
    for (const job of this.#options.pool.jobs.all()) {
      if (!isOne(job)) continue;
      const list = job.isWaiting ? waiting : running;
      if (list.length < MAX_DETAIL_JOBS) list.push(job);
      else if (!job.isWaiting) break;
    }
    return [...running, ...waiting].slice(0, MAX_DETAIL_JOBS).map((job) => this.#toJob(job));
  }

  #toJob(job: RegisteredJob): JobDetail {
    const { pluginId, clock } = this.#options;
    return toJobDetail(pluginId, job, clock.now());
  }
}

const NO_TOTALS: ModelDetail["totals"] = {
  requests: 0,
  failures: 0,
  input_tokens: 0,
  cached_tokens: 0,
  output_tokens: 0,
  audio_seconds: 0,
};

function toModelWorker(seat: Seat, model: string): ModelWorker {
  const { worker, offer } = seat.session;
  const served = seat.byModel.get(model);
  const { speed } = served ?? {};
  const isTold = statusesIn(offer)(model).isLoaded !== undefined;
  return {
    id: worker.id,
    name: worker.name,
    status: statusOf(seat),
    slots_used: seat.busy,
    slots_total: seat.capacity,
    inflight: served?.running ?? 0,
    loaded: isTold ? (served?.isLoaded ?? false) : null,
    out: served?.isOut ?? false,
    prefill_tokens_per_s: speed?.prefill === undefined ? null : tenths(speed.prefill),
    decode_tokens_per_s: speed?.decode === undefined ? null : tenths(speed.decode),
  };
}
