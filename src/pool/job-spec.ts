import type { Caller, CallerClass } from "../auth/caller.ts";
import type { Fault } from "../errors.ts";
import type { ExchangeRequest } from "../tunnel/exchange.ts";
import type { ResponseHead } from "../wire/heads.ts";
import type { Charge } from "./charge.ts";
import type { Claim } from "./claim.ts";
import type { Excluded } from "./excluded.ts";
import type { Affinity } from "./routing/affinity.ts";
import type { Route } from "./routing/route.ts";

/**
 * Makes the `nth` request of the job, from 1 on, with its body from the first byte; `claim.sentAs` is what the worker
 * calls the model. Undefined when other jobs have done the work meanwhile: the job then ends complete, without an answer.
 * May throw a `Fault`, which ends the job.
 */
export type RequestForAttempt = (claim: Claim, nth: number) => ExchangeRequest | undefined;

/** The longest silence of a worker on one job. */
export interface SilenceLimit {
  /** In milliseconds, before its first byte and between bytes. */
  readonly silenceMs: number;
  /** The setting that `silenceMs` comes from, which the error names; undefined if there is none. */
  readonly silenceSetting?: string;
}

/** The longest halts of a job. */
export interface Patience extends SilenceLimit {
  /** Longest time in milliseconds for which the client may take nothing while the worker is held back for it. */
  readonly stallMs: number;
}

/** A form of event stream from whose bytes the output can be told while it runs. */
export interface OutputForm {
  readonly name: string;
  /** The usual number of bytes for one unit of output, which counts until it is known for a model. */
  readonly bytesPerUnit: number;
}

/** One client's request, as far as the pool needs to know it. */
export interface JobSpec extends Patience {
  readonly requestId: string;
  /** The client behind the request. */
  readonly caller: Caller;
  /** The urgency that the request asks for. One above the caller's counts as the caller's, as does none. */
  readonly class?: CallerClass;
  /** A digest that identifies the person behind a caller who sends for several; undefined if the request names none. */
  readonly endUser?: string | undefined;
  /** What the request takes from the limits of its key; absent without limits. */
  readonly charge?: Charge | undefined;
  /** The kind of request, as operators see it: `chat.completions`. */
  readonly kind: string;
  /** The form of the answer; absent for one whose output cannot be told before its end. */
  readonly outputForm?: OutputForm | undefined;
  readonly model: string;
  /** The only worker that may serve it; undefined if any may. */
  readonly workerId?: string | undefined;
  /** Why only that worker may serve it: the client named it, unless given. */
  readonly workerReason?: "response" | undefined;
  /** Finds the workers that have the prompt in their caches; undefined if nobody looks for them. */
  readonly affinity?: Affinity | undefined;
  /** The sessions and workers that must not serve it. */
  readonly excluded?: Excluded;
  /** Whether another job of the same request has had a slot. If so, a full queue does not refuse this one. */
  readonly wasAccepted?: boolean;
  /** Whether only this very model will do, under any of its names, and no other variant of it. */
  readonly exact: boolean;
  /** The kind of exchange that the heads of its requests name; undefined for HTTP. */
  readonly exchangeKind?: string | undefined;
  /** The limit for a worker that is kept alive by heartbeats, if it is longer; undefined if there is none. */
  readonly keptAlive?: SilenceLimit;
  readonly request: RequestForAttempt;
}

/** How a job ended. Every job ends exactly once. */
export type JobEnd =
  | { readonly kind: "complete" }
  | { readonly kind: "canceled" }
  /** `begun`: the answer's head has been passed on, so the error must be reported in the client's stream. */
  | { readonly kind: "failed"; readonly fault: Fault; readonly begun: boolean };

/**
 * The receiver of a job's answer. Nothing is called before `start` has returned, except `onEnd` with a fault of the pool.
 */
export interface JobSink {
  /** Called at most once, with the answer's first byte or the end of an empty body. */
  onHead(head: ResponseHead): void;
  onData(bytes: Uint8Array): void;
  /** Called exactly once, after all other calls. */
  onEnd(end: JobEnd): void;
}

/** An attempt that the worker failed, after which the job went elsewhere. */
export interface FailedAttempt {
  readonly claim: Claim;
  readonly reason: string;
  readonly runningMs: number;
}

/** The times of a job's last attempt, in milliseconds from the sending of its request. */
export interface LastAttempt {
  readonly runningMs: number;
  /** Until the answer's first byte; undefined without one. */
  readonly firstByteMs: number | undefined;
}

/** All that is known of a job at its end: for metrics, totals and its one log line. */
export interface JobReport {
  /** The id under which operators know the job; that of the first one for a report that joins several. Absent: unknown. */
  readonly jobId?: string | undefined;
  /** Absent for a report that joins several jobs. */
  readonly requestId?: string | undefined;
  /** The kind of request, as operators see it. Absent: unknown. */
  readonly kind?: string | undefined;
  readonly caller: Caller;
  readonly class: CallerClass;
  /** A digest of the person behind the request; absent if it named none. */
  readonly endUser?: string | undefined;
  readonly end: JobEnd;
  /** The worker of the last attempt; undefined when the job never had one. */
  readonly claim: Claim | undefined;
  /** Why workers got the job; the route of `claim`, unless given. */
  readonly route?: Route | undefined;
  readonly attempts: number;
  /** How often a worker turned it down because no slot was free. These are not attempts. */
  readonly refusals: number;
  /** The reason of the last retry; undefined if there was none. */
  readonly retryReason: string | undefined;
  /** The attempts before the last one that were failures of their workers. */
  readonly failedAttempts: readonly FailedAttempt[];
  /** Undefined when no worker ever had the job. */
  readonly lastAttempt: LastAttempt | undefined;
  readonly queuedMs: number;
  /** Milliseconds from the job's start to the answer's first byte; undefined without one. */
  readonly firstByteMs: number | undefined;
  readonly durationMs: number;
  readonly bytesOut: number;
  readonly status: number | undefined;
}
