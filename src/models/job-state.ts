import type { JobFacts, JobsRegistry } from "../pool/jobs-registry.ts";

/** A job in the State API: never what was asked or answered. */
export interface JobState {
  /** For `POST /api/state/jobs/{id}/cancel`. */
  readonly id: string;
  readonly request_id: string;
  /** `chat.completions`, `embeddings`, …: the path that was called. */
  readonly kind: string;
  readonly model: string;
  /** Null while it waits. */
  readonly worker: string | null;
  /** `streaming`: its answer has begun. */
  readonly status: JobFacts["status"];
  /** Its place in the queue, 1 is next; null while it does not wait. */
  readonly position: number | null;
  /** RFC 3339: when it was accepted. */
  readonly started_at: string;
  readonly waiting_ms: number;
  /** Since a worker has had it, with the tries at workers that were lost. */
  readonly running_ms: number;
  /** Of its answer so far. */
  readonly bytes_out: number;
}

/** Jobs shown; the counts of each model are of all. */
const MAX_SHOWN = 200;

/** A model's jobs of now. */
export interface ModelJobs {
  inflight: number;
  waiting: number;
}

export interface JobsState {
  /** Running ones first, oldest first. */
  readonly shown: readonly JobState[];
  readonly byModel: ReadonlyMap<string, ModelJobs>;
}

/** Looks once at every job under way. `now` is the wall clock. */
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

/** Of a model's name: registered ones are shorter, and a client may append to one what it likes. */
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
