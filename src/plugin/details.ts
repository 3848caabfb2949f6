import type { CauseCounts, FailureCause } from "./failure-cause.ts";
import type { RestrictionState } from "./restriction-state.ts";

// One worker, one model and one job in the State API: plain copies, with names in snake_case. Times are RFC 3339, unless they
// are in a column of a history. Workers choose their names and texts, and clients choose the names of models.

/** What a plugin tells about single workers, models and jobs. Undefined for what it does not know. */
export interface Details {
  /** Returns a worker that is connected to this server, or was lately. */
  worker(id: string): WorkerDetail | undefined;
  /** Returns the jobs of this server's clients that a worker has, wherever it is connected; at most `MAX_DETAIL_JOBS`. */
  jobsOf(workerId: string): readonly JobDetail[];
  /** Returns a model that a request may name now, by any of its names, or whose history is still kept. */
  model(name: string): ModelDetail | undefined;
  /** Returns a running or waiting job, by its own id or by that of its request. */
  job(id: string): JobDetail | undefined;
}

/** The jobs that have ended and are still remembered. */
export interface EndedJobs {
  /** Finds a job by its own id or by that of its request. */
  find(id: string): JobDetail | undefined;
}

/** The most jobs that a worker or a model lists. */
export const MAX_DETAIL_JOBS = 100;
/** The most errors that a worker or a model lists. */
export const MAX_ERRORS = 50;
/** The most sessions of a worker that are listed. */
export const MAX_SESSIONS = 20;
/** The most workers that a model lists. */
export const MAX_MODEL_WORKERS = 200;

/** A history in columns of the same length, oldest first. `at` is the end of each interval, in milliseconds since 1970. */
export interface ColumnHistory<C extends string> {
  readonly interval_ms: number;
  /** The most points that are kept. */
  readonly capacity: number;
  readonly samples: Readonly<Record<"at" | C, readonly (number | null)[]>>;
}

/** The columns of a worker's history. All are null where the worker was not connected. */
export const WORKER_COLUMNS = [
  "slots_used",
  "slots_total",
  "requests",
  "failures",
  "tokens_per_s",
  "first_byte_ms",
] as const;
export type WorkerColumn = (typeof WORKER_COLUMNS)[number];

/** The columns of a model's history. */
export const MODEL_COLUMNS = [
  "workers",
  "slots_total",
  "inflight",
  "waiting",
  "requests",
  "failures",
  "tokens_per_s",
  "first_byte_ms",
] as const;
export type ModelColumn = (typeof MODEL_COLUMNS)[number];

/** A worker as something else names it. */
export interface WorkerName {
  readonly id: string;
  readonly name: string;
  /** The server that it is connected to; absent without a cluster, and if that is the server that tells of it. */
  readonly server?: string | undefined;
}

/** One failure of a worker, or of a request to a model. */
export interface ErrorEntry {
  readonly at: string;
  /** The server that has seen it; absent without a cluster. */
  readonly server?: string | undefined;
  /** Null for a request of another server. */
  readonly request_id: string | null;
  readonly job_id: string | null;
  /** The path that was called, as `chat.completions`; null where it is not known. */
  readonly kind: string | null;
  readonly model: string;
  /** Null for a request that no worker had. */
  readonly worker: WorkerName | null;
  readonly caller: string | null;
  /** The code of the error, or what was wrong with the attempt: `upstream_error`, `lost`, `status 500`. */
  readonly reason: string;
  readonly cause: FailureCause;
  /** Whether the job went on with another worker. */
  readonly retried: boolean;
}

/** One connection of a worker. */
export interface WorkerSession {
  readonly server?: string | undefined;
  readonly connected_at: string;
  /** Null while it is connected. */
  readonly gone_at: string | null;
  /** Why the connection ended, in words; some of them may be the worker's. Null while it is connected. */
  readonly reason: string | null;
  readonly version: string | null;
  readonly dialect: string;
}

/** The answer of `GET /api/state/workers/{id}`. */
export interface WorkerDetail {
  readonly id: string;
  readonly plugin: string;
  readonly server?: string | undefined;
  readonly name: string;
  readonly connected: boolean;
  /** As the state lists it; for a worker that has left, as it was then. Its fields are the plugin's own. */
  readonly worker: Readonly<Record<string, unknown>>;
  /** Null for a worker that operators have neither drained nor blocked. */
  readonly restriction: RestrictionState | null;
  /** The newest first. */
  readonly sessions: readonly WorkerSession[];
  /** The jobs that it has now, of the clients of all servers. */
  readonly jobs: readonly JobDetail[];
  /** The newest first. */
  readonly errors: readonly ErrorEntry[];
  readonly history: ColumnHistory<WorkerColumn>;
}

/** A worker as its model sees it. */
export interface ModelWorker extends WorkerName {
  readonly status: string;
  readonly slots_used: number;
  readonly slots_total: number;
  /** Jobs of this model that it has. */
  readonly inflight: number;
  /** Whether it has the model in memory, or is loading it; null where it does not say. */
  readonly loaded: boolean | null;
  /** Whether it gets no jobs for the model because it failed too often. */
  readonly out: boolean;
  readonly prefill_tokens_per_s: number | null;
  readonly decode_tokens_per_s: number | null;
}

/** What a model's requests used since the server started. */
export interface ModelTotals {
  readonly requests: number;
  readonly failures: number;
  readonly input_tokens: number;
  readonly cached_tokens: number;
  readonly output_tokens: number;
  readonly audio_seconds: number;
}

/** The answer of `GET /api/state/models/{id}`. */
export interface ModelDetail {
  /** The workers' name for it. */
  readonly id: string;
  readonly plugin: string;
  readonly server?: string | undefined;
  readonly type: string | null;
  readonly context_length: number | null;
  /** Tokens that the model could take, if its worker let it; null where no worker says. */
  readonly max_context_length: number | null;
  /** What it reads and writes, such as `text` and `image`; empty where no worker says. */
  readonly input_modalities: readonly string[];
  readonly output_modalities: readonly string[];
  /** At most `MAX_MODEL_WORKERS`. */
  readonly workers: readonly ModelWorker[];
  readonly workers_total: number;
  readonly slots_free: number;
  readonly slots_total: number;
  readonly inflight: number;
  readonly waiting: number;
  /** How long the job has waited that waits longest; null if none does. */
  readonly oldest_waiting_ms: number | null;
  /** The queue of all models of the plugin. */
  readonly queue: { readonly waiting: number; readonly capacity: number };
  /** Output tokens per second over the last minute, those of running streams included. */
  readonly tokens_per_s: number;
  readonly cached_share: number | null;
  /** From acceptance to the first byte, over the last 256 answers of the last quarter of an hour; null without any. */
  readonly first_byte_p50_ms: number | null;
  readonly first_byte_p95_ms: number | null;
  readonly totals: ModelTotals;
  /** The failures since the server started, by cause. */
  readonly causes: CauseCounts;
  /** The newest first. */
  readonly errors: readonly ErrorEntry[];
  readonly jobs: readonly JobDetail[];
  readonly history: ColumnHistory<ModelColumn>;
}

/** One try of a job on one worker. */
export interface JobAttempt {
  readonly worker: WorkerName;
  /** `failed` for one after which the job went elsewhere; the status of the job for the last one. */
  readonly status: JobStatus;
  /** Why it failed: `upstream_error`, `lost`, `status 500`; null for one that did not. */
  readonly reason: string | null;
  readonly cause: FailureCause | null;
  readonly running_ms: number;
}

export const JOB_STATUSES = ["waiting", "running", "streaming", "completed", "failed", "canceled"] as const;
/** `streaming`: the answer has begun. */
export type JobStatus = (typeof JOB_STATUSES)[number];

/** The answer of `GET /api/state/jobs/{id}`. Nothing of the request or the answer is in it. */
export interface JobDetail {
  /** `<server>~<plugin>-…`; null for a request that was served by no job, or whose job is not known. */
  readonly id: string | null;
  readonly request_id: string;
  /** The server that the client called; absent without a cluster. */
  readonly server?: string | undefined;
  readonly plugin: string;
  /** The path that was called, as `chat.completions`; null where it is not known. */
  readonly kind: string | null;
  readonly model: string;
  readonly status: JobStatus;
  /** Its place in the queue: 1 is next, null means that it does not wait. */
  readonly position: number | null;
  readonly caller: string;
  /** The id of the caller's key as usage counts it: that of a made key, else the caller's name. */
  readonly key: string;
  readonly end_user: string | null;
  readonly class: string | null;
  /** The worker that has it or had it last. */
  readonly worker: WorkerName | null;
  /** Why it has that worker, in one word. */
  readonly route: string | null;
  /** The code of the error that ended it. */
  readonly reason: string | null;
  readonly cause: FailureCause | null;
  /** The error as its client got it. */
  readonly message: string | null;
  /** The HTTP status of the answer; null before it began, and for a failure without an answer. */
  readonly http_status: number | null;
  /** The tries on workers, the first one first; at most 10. */
  readonly attempts: readonly JobAttempt[];
  /** How often a worker turned it down because no slot was free. These are not attempts. */
  readonly refusals: number;
  readonly accepted_at: string;
  readonly first_byte_at: string | null;
  readonly ended_at: string | null;
  readonly waiting_ms: number;
  /** From acceptance to the first byte; null without one. */
  readonly first_byte_ms: number | null;
  /** Time with a worker, attempts that failed included. */
  readonly running_ms: number;
  readonly bytes_out: number;
  readonly input_tokens: number | null;
  readonly cached_tokens: number | null;
  readonly output_tokens: number | null;
  readonly audio_seconds: number | null;
  /** Whether the tokens are an estimate. */
  readonly estimated: boolean;
}
