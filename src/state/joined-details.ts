import {
  type ColumnHistory,
  type ErrorEntry,
  type JobDetail,
  MAX_DETAIL_JOBS,
  MAX_ERRORS,
  MAX_MODEL_WORKERS,
  MAX_SESSIONS,
  type ModelDetail,
  type ModelTotals,
  type WorkerDetail,
  type WorkerName,
} from "../plugin/details.ts";
import { type CauseCounts, FAILURE_CAUSES } from "../plugin/failure-cause.ts";

// Joins what the servers of a cluster tell about one worker or model. All functions are pure.

/** What one server tells. */
export interface Told<D> {
  readonly server: string;
  readonly detail: D;
}

/** Names the servers of a job and of its workers, which `server` has told of. */
export function locatedJob(job: JobDetail, server: string): JobDetail {
  return {
    ...job,
    server,
    worker: locatedName(job.worker, server),
    attempts: job.attempts.map((attempt) => ({ ...attempt, worker: { server, ...attempt.worker } })),
  };
}

/**
 * Joins what servers tell of a worker, `jobs` included: those that its other servers' clients have with it. The worker is shown
 * as by the server that it is connected to, or was last. `told` MUST NOT be empty.
 */
export function joinWorkers(told: readonly Told<WorkerDetail>[], jobs: readonly JobDetail[]): WorkerDetail | undefined {
  const [latest] = told.toSorted(
    (a, b) => Number(b.detail.connected) - Number(a.detail.connected) || newerFirst(seenAt(a.detail), seenAt(b.detail)),
  );
  if (!latest) return undefined;
  return {
    ...latest.detail,
    server: latest.server,
    sessions: told
      .flatMap(({ server, detail }) => detail.sessions.map((session) => ({ ...session, server })))
      .sort((a, b) => newerFirst(a.connected_at, b.connected_at))
      .slice(0, MAX_SESSIONS),
    jobs: [...told.flatMap(({ server, detail }) => detail.jobs.map((job) => locatedJob(job, server))), ...jobs].slice(
      0,
      MAX_DETAIL_JOBS,
    ),
    errors: joinErrors(told),
    history: joinHistories(told.map(({ detail }) => detail.history)),
  };
}

/** Adds up what servers tell of a model. Times to the first byte are those of the slowest server. */
export function joinModels(told: readonly Told<ModelDetail>[]): ModelDetail | undefined {
  const [first] = told;
  if (!first) return undefined;
  const all = told.map(({ detail }) => detail);
  const sum = (of: (model: ModelDetail) => number): number => all.reduce((total, model) => total + of(model), 0);
  const values = (of: (model: ModelDetail) => number | null): readonly number[] =>
    all.flatMap((each) => of(each) ?? []);
  const most = (of: (model: ModelDetail) => number | null): number | null => maxOf(values(of));
  const longest = (of: (model: ModelDetail) => readonly string[]): readonly string[] =>
    all.map(of).find((list) => list.length > 0) ?? [];
  const shares = values(({ cached_share }) => cached_share);
  const contexts = values(({ context_length }) => context_length);
  return {
    ...first.detail,
    server: undefined,
    type: all.find(({ type }) => type !== null)?.type ?? null,
    context_length: contexts.length === 0 ? null : Math.min(...contexts),
    max_context_length: most(({ max_context_length }) => max_context_length),
    input_modalities: longest(({ input_modalities }) => input_modalities),
    output_modalities: longest(({ output_modalities }) => output_modalities),
    workers: told
      .flatMap(({ server, detail }) => detail.workers.map((worker) => ({ ...worker, server })))
      .slice(0, MAX_MODEL_WORKERS),
    workers_total: sum(({ workers_total }) => workers_total),
    slots_free: sum(({ slots_free }) => slots_free),
    slots_total: sum(({ slots_total }) => slots_total),
    inflight: sum(({ inflight }) => inflight),
    waiting: sum(({ waiting }) => waiting),
    oldest_waiting_ms: most(({ oldest_waiting_ms }) => oldest_waiting_ms),
    queue: { waiting: sum(({ queue }) => queue.waiting), capacity: sum(({ queue }) => queue.capacity) },
    tokens_per_s: Math.round(sum(({ tokens_per_s }) => tokens_per_s) * 10) / 10,
    cached_share: shares.length === 0 ? null : shares.reduce((total, share) => total + share, 0) / shares.length,
    first_byte_p50_ms: most(({ first_byte_p50_ms }) => first_byte_p50_ms),
    first_byte_p95_ms: most(({ first_byte_p95_ms }) => first_byte_p95_ms),
    totals: joinTotals(all),
    causes: joinCauses(all),
    errors: joinErrors(told),
    jobs: told
      .flatMap(({ server, detail }) => detail.jobs.map((job) => locatedJob(job, server)))
      .slice(0, MAX_DETAIL_JOBS),
    history: joinHistories(all.map(({ history }) => history)),
  };
}

/** When the last session of a worker ended or, for one that is connected, began. */
function seenAt({ sessions: [session] }: WorkerDetail): string {
  return session?.gone_at ?? session?.connected_at ?? "";
}

/** Compares times of RFC 3339 in UTC, which are in the order of their characters. */
function newerFirst(a: string, b: string): number {
  return a === b ? 0 : a < b ? 1 : -1;
}

function locatedName(worker: WorkerName | null, server: string): WorkerName | null {
  return worker && { ...worker, server: worker.server ?? server };
}

function joinErrors(told: readonly Told<{ readonly errors: readonly ErrorEntry[] }>[]): readonly ErrorEntry[] {
  return told
    .flatMap(({ server, detail }) =>
      detail.errors.map((error) => ({ ...error, server, worker: locatedName(error.worker, server) })),
    )
    .sort((a, b) => newerFirst(a.at, b.at))
    .slice(0, MAX_ERRORS);
}

function joinTotals(all: readonly ModelDetail[]): ModelTotals {
  const sum = (name: keyof ModelTotals): number => all.reduce((total, { totals }) => total + totals[name], 0);
  return {
    requests: sum("requests"),
    failures: sum("failures"),
    input_tokens: sum("input_tokens"),
    cached_tokens: sum("cached_tokens"),
    output_tokens: sum("output_tokens"),
    audio_seconds: sum("audio_seconds"),
  };
}

function joinCauses(all: readonly ModelDetail[]): CauseCounts {
  const sums = FAILURE_CAUSES.map((cause) => [cause, all.reduce((total, { causes }) => total + causes[cause], 0)]);
  return Object.fromEntries(sums) as CauseCounts; // has each of the causes
}

/** The columns that are not sums. */
const FIRST_BYTE = "first_byte_ms";

/** Adds up histories of one length of interval, whose points are at multiples of it. */
export function joinHistories<C extends string>(histories: readonly ColumnHistory<C>[]): ColumnHistory<C> {
  const [first, ...others] = histories;
  if (!first) throw new RangeError("there is no history to join");
  const filled = histories.filter(({ samples }) => samples.at.length > 0);
  if (others.length === 0 || filled.length === 0) return first;
  if (filled.length === 1) return filled[0] ?? first;
  const times = [...new Set(filled.flatMap(({ samples }) => samples.at))]
    .toSorted((a, b) => Number(a) - Number(b))
    .slice(-first.capacity);
  const places = filled.map(({ samples }) => new Map(samples.at.map((at, place) => [at, place])));
  const joined = (column: keyof typeof first.samples): (number | null)[] =>
    times.map((at) => {
      if (column === "at") return at;
      const values = filled.flatMap(({ samples }, each) => samples[column][places[each]?.get(at) ?? -1] ?? []);
      if (column === FIRST_BYTE) return maxOf(values);
      return values.length === 0 ? null : values.reduce((total, value) => total + value, 0);
    });
  // The columns of a history are the keys of its samples.
  const columns = Object.keys(first.samples) as (keyof typeof first.samples)[];
  // It has all of them again, which the type of fromEntries does not say.
  const samples = Object.fromEntries(columns.map((column) => [column, joined(column)]));
  return { ...first, samples: samples as unknown as ColumnHistory<C>["samples"] };
}

function maxOf(values: readonly number[]): number | null {
  return values.length === 0 ? null : Math.max(...values);
}
