import type { JobOutcome, Metrics } from "../figures/metrics.ts";
import type { Reading } from "../figures/read-counter.ts";
import type { Claim } from "../pool/claim.ts";
import type { HealthEvent } from "../pool/routing/health-watch.ts";
import type { Speed } from "../pool/routing/speed.ts";
import type { Seat } from "../pool/seat.ts";
import type { Clock } from "../system/deps.ts";
import { isDoctorModel } from "../wire/names.ts";
import { isOut } from "./serving-state.ts";

/**
 * The most workers of a plugin with series of their own. Eleven series each are 5,500 lines of a scrape; the work of all
 * further workers is summed up under `(other)`.
 */
const MAX_WORKERS = 500;

/** The label of the workers beyond that number. No worker can have it for an id. */
const OTHER = "(other)";

/** How long the series of a worker remain after its last session: long enough for every usual scrape interval and alert. */
const KEEP_MS = 5 * 60_000;

const LABELS = ["plugin", "worker", "name"] as const;

interface Figures {
  name: string;
  readonly jobs: Record<JobOutcome, number>;
  seconds: number;
  output: number;
  ejections: number;
  /** `Clock.elapsed` at which it was last seen with a session. */
  seenAt: number;
}

/** What a job adds to the series of its worker. */
export interface WorkerJob {
  readonly outcome: JobOutcome;
  /** Milliseconds that the job spent with the worker. */
  readonly runningMs: number;
  /** Output of the answer, in the unit of speed. */
  readonly output: number;
}

export interface WorkerSeriesOptions {
  readonly clock: Clock;
  readonly plugin: string;
  readonly seats: () => Iterable<Seat>;
}

/**
 * The work of each worker of a plugin, for metrics. Counts continue when a worker reconnects with its id, and are
 * dropped five minutes after it has left.
 */
export class WorkerSeries {
  readonly #options: WorkerSeriesOptions;
  readonly #workers = new Map<string, Figures>();

  constructor(options: WorkerSeriesOptions) {
    this.#options = options;
  }

  /** Counts a job that a worker had. */
  count({ worker, model }: Claim, { outcome, runningMs, output }: WorkerJob): void {
    if (isDoctorModel(model)) return;
    const figures = this.#workers.get(worker.id) ?? this.#add(worker);
    figures.jobs[outcome] += 1;
    figures.seconds += runningMs / 1000;
    figures.output += output;
  }

  /** Counts a worker that goes out because it failed too often. */
  health({ change, worker, model }: HealthEvent): void {
    if (change !== "ejected" || (model !== undefined && isDoctorModel(model))) return;
    const figures = this.#workers.get(worker.id) ?? this.#add(worker);
    figures.ejections += 1;
  }

  /** Registers the series. */
  register(metrics: Metrics): void {
    const { plugin } = this.#options;
    metrics.total(
      "moorage_worker_jobs_total",
      "Jobs that a worker had, by outcome. The parts of a request for embeddings count one by one.",
      [...LABELS, "outcome"],
      () =>
        this.#current().flatMap(([labels, { jobs }]) =>
          Object.entries(jobs).map(([outcome, value]) => ({ labels: { ...labels, outcome }, value })),
        ),
    );
    metrics.total("moorage_worker_job_seconds_total", "Time that a worker's ended jobs took.", LABELS, () =>
      this.#current().map(([labels, { seconds }]) => ({ labels, value: seconds })),
    );
    metrics.total(
      "moorage_worker_output_tokens_total",
      "Output tokens as a worker's answers state them or as they are estimated.",
      LABELS,
      () => this.#current().map(([labels, { output }]) => ({ labels, value: output })),
    );
    metrics.total(
      "moorage_worker_ejections_total",
      "Times that a worker was kept from jobs because it failed too often.",
      LABELS,
      () => this.#current().map(([labels, { ejections }]) => ({ labels, value: ejections })),
    );
    metrics.gauge(
      "moorage_worker_out",
      "1 while a worker gets no jobs of some or all models because it failed too often; for (other), how many do.",
      LABELS,
      () => this.#seats(plugin, (seat) => (isOut(seat) ? 1 : 0)),
    );
    metrics.gauge(
      "moorage_worker_prefill_tokens_per_second",
      "Measured input tokens per second until the first byte, without those from a cache: the average of its models.",
      LABELS,
      () => this.#speeds(({ prefill }) => prefill),
    );
    metrics.gauge(
      "moorage_worker_decode_tokens_per_second",
      "Measured output tokens per second of one request: the average of its models.",
      LABELS,
      () => this.#speeds(({ decode }) => decode),
    );
    metrics.gauge("moorage_worker_slots", "Jobs that a worker takes at once; 0 if it takes none now.", LABELS, () =>
      this.#seats(plugin, (seat) => seat.capacity),
    );
    metrics.gauge("moorage_worker_slots_busy", "Slots of a worker that are held.", LABELS, () =>
      this.#seats(plugin, (seat) => seat.busy),
    );
  }

  /** Returns the figures of each worker with its labels, after a look at who is connected. */
  #current(): readonly (readonly [Readonly<Record<string, string>>, Figures])[] {
    const { plugin } = this.#options;
    this.#look();
    return Array.from(this.#workers, ([worker, figures]) => [{ plugin, worker, name: figures.name }, figures]);
  }

  #seats(plugin: string, amount: (seat: Seat) => number): readonly Reading[] {
    this.#look();
    const sums = new Map<string, { readonly labels: Readonly<Record<string, string>>; value: number }>();
    for (const seat of this.#options.seats()) {
      if (isOfDoctor(seat)) continue;
      const { id } = seat.session.worker;
      const worker = this.#workers.has(id) ? id : OTHER;
      const name = this.#workers.get(worker)?.name ?? OTHER;
      const sum = sums.get(worker) ?? { labels: { plugin, worker, name }, value: 0 };
      sums.set(worker, sum);
      sum.value += amount(seat);
    }
    return [...sums.values()];
  }

  /** Reads the average speed of each worker with measured models; `(other)` has none, since speeds cannot be added up. */
  #speeds(of: (speed: Speed) => number | undefined): readonly Reading[] {
    this.#look();
    const readings: Reading[] = [];
    for (const seat of this.#options.seats()) {
      const { id } = seat.session.worker;
      const name = this.#workers.get(id)?.name;
      if (name === undefined || isOfDoctor(seat)) continue;
      const rates = Array.from(seat.byModel.values(), ({ speed }) => speed && of(speed)).filter(
        (each) => each !== undefined,
      );
      if (rates.length === 0) continue;
      const value = rates.reduce((sum, each) => sum + each, 0) / rates.length;
      readings.push({ labels: { plugin: this.#options.plugin, worker: id, name }, value });
    }
    return readings;
  }

  /** Adds workers that have connected, and drops those that left long ago. */
  #look(): void {
    const now = this.#options.clock.elapsed();
    for (const seat of this.#options.seats()) {
      if (isOfDoctor(seat)) continue;
      const { worker } = seat.session;
      const figures = this.#workers.get(worker.id) ?? this.#add(worker);
      figures.seenAt = now;
      if (figures !== this.#workers.get(OTHER)) figures.name = worker.name;
    }
    this.#drop(now);
  }

  #add({ id, name }: Claim["worker"]): Figures {
    const now = this.#options.clock.elapsed();
    if (this.#workers.size >= MAX_WORKERS) this.#drop(now);
    const key = this.#workers.size < MAX_WORKERS ? id : OTHER;
    const known = this.#workers.get(key);
    if (known) return known;
    const jobs = { completed: 0, failed: 0, canceled: 0 };
    const figures = { name: key === id ? name : OTHER, jobs, seconds: 0, output: 0, ejections: 0, seenAt: now };
    this.#workers.set(key, figures);
    return figures;
  }

  #drop(now: number): void {
    for (const [id, { seenAt }] of this.#workers) if (id !== OTHER && now - seenAt > KEEP_MS) this.#workers.delete(id);
  }
}

/** Returns whether a seat is of a run of the doctor, which leaves no series behind. */
export function isOfDoctor({ models }: Seat): boolean {
  return models.length > 0 && models.every(isDoctorModel);
}
