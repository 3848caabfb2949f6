import type { JobFacts, JobsRegistry } from "../pool/jobs-registry.ts";

/** A job in the State API. Nothing of the request or the answer is in it. */
export interface JobState {
  /** The id for `POST /api/state/jobs/{id}/cancel`: `<server>~<plugin>-…`. */
  readonly id: string;
  readonly request_id: string;
  /** The path that was called, as `chat.completions` or `embeddings`. */
  readonly kind: string;
  readonly model: string;
  /** Null while the job waits. */
  readonly worker: string | null;
  /** `streaming` once the answer has begun. */
  readonly status: JobFacts["status"];
  /** Its place in the queue: 1 is next, null means that it does not wait. */
  readonly position: number | null;
  /** The time at which it was accepted, as in RFC 3339. */
  readonly started_at: string;
  readonly waiting_ms: number;
  /** Time since a worker got it, attempts at workers that were lost included. */
  readonly running_ms: number;
  /** Bytes of its answer so far. */
  readonly bytes_out: number;
}

/** How many jobs are shown. The counts of each model are of all jobs. */
const MAX_SHOWN = 200;

/** The running and waiting jobs of one model. */
export interface ModelJobs {
  inflight: number;
  waiting: number;
}

export interface JobsState {
  /** Running jobs before waiting ones, each from the oldest on. */
  readonly shown: readonly JobState[];
  readonly byModel: ReadonlyMap<string, ModelJobs>;
}

/** Describes the running and waiting jobs; looks at each once. `now` is the wall time. */
export function toJobsState(jobs: JobsRegistry, now: number): JobsState {
  const running: JobFacts[] = [];
  const waiting: JobFacts[] = [];
  const byModel = new Map<string, ModelJobs>();
  for (const job of jobs.all()) {
    const counts = byModel.get(job.model) ?? { inflight: 0, waiting: 0 };
    byModel.set(job.model, counts);
    counts[job.isWaiting ? "waiting" : "inflight"] += 1;
    const list = job.isWaiting ? waiting : running;
    if (list.length < MAX_SHOWN) list.push(job.facts());
  }
  return { shown: [...running, ...waiting].slice(0, MAX_SHOWN).map((facts) => toJobState(facts, now)), byModel };
}

/** How much of a model's name is shown. Names that workers register are shorter; clients may send longer ones. */
const MAX_MODEL_CHARS = 512;

function toJobState(facts: JobFacts, now: number): JobState {
  const waitingMs = Math.round(facts.waitingMs);
  return {
    id: facts.id,
    request_id: facts.requestId,
    kind: facts.kind,
    model: facts.model.slice(0, MAX_MODEL_CHARS),
    worker: facts.workerId ?? null,
    status: facts.status,
    position: facts.position === 0 ? null : facts.position,
    started_at: new Date(now - facts.ageMs).toISOString(),
    waiting_ms: waitingMs,
    running_ms: Math.max(0, Math.round(facts.ageMs) - waitingMs),
    bytes_out: facts.bytesOut,
  };
}
