import type { CallerClass } from "../auth/caller.ts";
import type { JobFacts, JobsRegistry, RegisteredJob } from "../pool/jobs-registry.ts";
import type { RouteReason } from "../pool/routing/route.ts";

/** A job in the State API. Nothing of the request or the answer is in it. */
export interface JobState {
  /** The id for `POST /api/state/jobs/{id}/cancel`: `<server>~<plugin>-…`. */
  readonly id: string;
  readonly request_id: string;
  /** The path that was called, as `chat.completions` or `embeddings`. */
  readonly kind: string;
  readonly model: string;
  /** Null while the job waits, and while another server has not said yet which of its workers has it. */
  readonly worker: string | null;
  /** What that worker calls itself; null while `worker` is. */
  readonly worker_name: string | null;
  /** The id of the other server that the worker is connected to; absent for a worker of this one, and while the job waits. */
  readonly server?: string;
  /** Why it has that worker, in one word of `RouteReason`; null while the job waits. */
  readonly reason: RouteReason | null;
  /** The caller's name as in logs: `api-key:2`, `role:reader`. */
  readonly caller: string;
  /** A digest of the user behind the caller's request, where one is named; null where none is. */
  readonly end_user: string | null;
  /** The urgency of this job: its caller's, or lower. */
  readonly class: CallerClass;
  /** `streaming` once the answer has begun. */
  readonly status: JobFacts["status"];
  /** Its place in the queue: 1 is next, null means that it does not wait. */
  readonly position: number | null;
  /** The time at which it was accepted, as in RFC 3339. */
  readonly started_at: string;
  readonly waiting_ms: number;
  /** Time since a worker got it, attempts at workers that were lost included. */
  readonly running_ms: number;
  /** From acceptance to the answer's first byte; null without one. */
  readonly first_byte_ms: number | null;
  /** Bytes of its answer so far. */
  readonly bytes_out: number;
}

/** How many jobs are shown. The counts of each model are of all jobs. */
const MAX_SHOWN = 200;

/** The running and waiting jobs of one model. */
export interface ModelJobs {
  inflight: number;
  waiting: number;
  /** The callers whose jobs wait for it, by name. */
  readonly waitingBy: Map<string, number>;
}

export interface JobsState {
  /** Running jobs before waiting ones, each from the oldest on. */
  readonly shown: readonly JobState[];
  readonly byModel: ReadonlyMap<string, ModelJobs>;
}

/** Describes the running and waiting jobs; looks at each once. `now` is the wall time. */
export function toJobsState(jobs: JobsRegistry, now: number): JobsState {
  const running: RegisteredJob[] = [];
  const waiting: RegisteredJob[] = [];
  const byModel = new Map<string, ModelJobs>();
  for (const job of jobs.all()) {
    countForModel(byModel, job);
    const list = job.isWaiting ? waiting : running;
    if (list.length < MAX_SHOWN) list.push(job);
  }
  const shown = [...running, ...waiting].slice(0, MAX_SHOWN).map((job) => toJobState(job, now));
  return { shown, byModel };
}

function countForModel(byModel: Map<string, ModelJobs>, { model, isWaiting, ticket }: RegisteredJob): void {
  const counts = byModel.get(model) ?? { inflight: 0, waiting: 0, waitingBy: new Map<string, number>() };
  byModel.set(model, counts);
  counts[isWaiting ? "waiting" : "inflight"] += 1;
  const { caller } = ticket;
  if (isWaiting) counts.waitingBy.set(caller.name, (counts.waitingBy.get(caller.name) ?? 0) + 1);
}

/** How much of a model's name is shown. Names that workers register are shorter; clients may send longer ones. */
const MAX_MODEL_CHARS = 512;

function toJobState(job: RegisteredJob, now: number): JobState {
  const facts = job.facts();
  const { caller, endUser } = job.ticket;
  return {
    id: facts.id,
    request_id: facts.requestId,
    kind: facts.kind,
    model: facts.model.slice(0, MAX_MODEL_CHARS),
    worker: facts.workerId ?? null,
    worker_name: facts.workerId === undefined ? null : (job.claim?.worker.name ?? null),
    ...(facts.server === undefined ? {} : { server: facts.server }),
    reason: facts.route?.reason ?? null,
    caller: caller.name,
    end_user: endUser ?? null,
    class: job.ticket.class,
    status: facts.status,
    position: facts.position === 0 ? null : facts.position,
    started_at: new Date(now - facts.ageMs).toISOString(),
    waiting_ms: Math.round(facts.waitingMs),
    running_ms: Math.max(0, Math.round(facts.ageMs - facts.waitingMs)),
    first_byte_ms: facts.firstByteMs === undefined ? null : Math.round(facts.firstByteMs),
    bytes_out: facts.bytesOut,
  };
}
