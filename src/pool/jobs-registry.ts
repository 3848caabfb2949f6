import { Fault } from "../errors.ts";
import type { Clock } from "../system/deps.ts";
import { onServer } from "../system/server-id.ts";
import type { Claim } from "./claim.ts";
import type { FailedAttempt, OutputForm } from "./job-spec.ts";
import type { Route } from "./routing/route.ts";
import type { Ticket } from "./ticket.ts";

/** The facts about a current job that operators see. They contain nothing of the request or the answer. */
export interface JobFacts {
  /** The id for `JobsRegistry.cancel`. */
  readonly id: string;
  readonly requestId: string;
  readonly kind: string;
  readonly model: string;
  readonly workerId: string | undefined;
  /** The server that the worker is connected to; undefined for this one, and while the job waits. */
  readonly server: string | undefined;
  /** The explanation why that worker has it; undefined while the job waits. */
  readonly route: Route | undefined;
  /** `streaming`: its answer has begun. */
  readonly status: "waiting" | "running" | "streaming";
  /** Its place in the queue: 1 is next, 0 means that it does not wait. */
  readonly position: number;
  readonly ageMs: number;
  /** Time spent in the queue so far. */
  readonly waitingMs: number;
  readonly bytesOut: number;
  /** Milliseconds from the job's start to the answer's first byte; undefined without one. */
  readonly firstByteMs: number | undefined;
  /** The HTTP status of the answer; undefined before it has begun. */
  readonly answerStatus: number | undefined;
  /** The attempts after which the job was sent elsewhere. */
  readonly failedAttempts: readonly FailedAttempt[];
  /** How long the worker that has the job now has had it; undefined while none has it. */
  readonly attemptMs: number | undefined;
  readonly refusals: number;
}

/** A job as seen from outside the pool: what it is doing, and how to end it. */
export interface RegisteredJob {
  readonly requestId: string;
  /** Whether it is in the queue. */
  readonly isWaiting: boolean;
  /** Its caller, class and end user, and the time at which it arrived. */
  readonly ticket: Pick<Ticket, "caller" | "class" | "endUser" | "arrivedAt">;
  /** The model under its worker's name, or, while it waits, under its client's. */
  readonly model: string;
  /** Bytes of its answer so far. */
  readonly bytesOut: number;
  /** The slot that it has or had last; undefined before its first. */
  readonly claim: Claim | undefined;
  /** The form of its answer; undefined for one whose output cannot be told before its end. */
  readonly outputForm: OutputForm | undefined;
  facts(): JobFacts;
  /** Ends the job: its client gets this fault, and its worker is told to stop. */
  cancel(fault: Fault): void;
}

/**
 * The jobs of one pool between their start and their end, oldest first, under ids for operators. A job costs one entry
 * when it starts and one when it ends, and nothing in between; slots and queue bound how many there are.
 */
export class JobsRegistry {
  readonly #jobs = new Map<string, RegisteredJob>();
  readonly #prefix: string;
  #count = 0;

  /** `name` distinguishes the pools of one server. */
  constructor(serverId: string, name: string, clock: Clock) {
    // Ids contain the time of the start, so that an id on an old page is unknown to a server that has restarted.
    this.#prefix = onServer(serverId, `${name}-${clock.now().toString(36)}-`);
  }

  /** Oldest first. */
  all(): IterableIterator<RegisteredJob> {
    return this.#jobs.values();
  }

  /** Registers a job and returns the id under which it can be cancelled: URL-safe, never used twice on any server. */
  register(job: RegisteredJob): string {
    this.#count += 1;
    const id = this.#prefix + this.#count.toString(36);
    this.#jobs.set(id, job);
    return id;
  }

  /** Finds a job by its id or, which takes a look at each job, by that of its request. */
  find(id: string): RegisteredJob | undefined {
    const own = this.#jobs.get(id);
    if (own) return own;
    for (const job of this.#jobs.values()) if (job.requestId === id) return job;
    return undefined;
  }

  unregister(id: string): void {
    this.#jobs.delete(id);
  }

  /** Ends the jobs of each key for which `judge` returns an error, which their clients get. It is asked once for each key. */
  endOf(judge: (keyId: string) => Fault | undefined): void {
    const judged = new Map<string, Fault | undefined>();
    for (const job of [...this.#jobs.values()]) {
      const { keyId } = job.ticket.caller;
      if (keyId === undefined) continue;
      if (!judged.has(keyId)) judged.set(keyId, judge(keyId));
      const fault = judged.get(keyId);
      if (fault) job.cancel(fault);
    }
  }

  /** Ends a job for an operator. Returns false for an id that is not registered, or not any more. */
  cancel(id: string): boolean {
    const job = this.#jobs.get(id);
    job?.cancel(new Fault("canceled_by_operator"));
    return job !== undefined;
  }
}
