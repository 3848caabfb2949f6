import type { Caller } from "../auth/caller.ts";
import { Fault } from "../errors.ts";
import type { CancelTimer, Clock } from "../system/deps.ts";
import { watchSilence } from "../system/silence.ts";
import type { Exchange, ExchangeEnd, ExchangeRequest } from "../tunnel/exchange.ts";
import type { ResponseHead } from "../wire/frame.ts";
import type { Claim } from "./claim.ts";
import type { Demand } from "./directory.ts";
import { type Excluded, NOBODY } from "./excluded.ts";
import { toFault, tooLargeForWorker, unsupportedByWorker } from "./job-faults.ts";
import type { JobFacts, RegisteredJob } from "./jobs-registry.ts";
import type { Pool } from "./pool.ts";
import type { JobTicket } from "./ticket.ts";
import type { Wait } from "./waits.ts";

/**
 * Makes the request for one attempt, its body from the first byte; `claim.model` is what the worker calls the model.
 * Undefined when other jobs have done the work meanwhile: the job then ends complete, without an answer. May throw a
 * `Fault`, which ends the job.
 */
export type RequestForAttempt = (claim: Claim) => ExchangeRequest | undefined;

/** One client's request, as far as the pool needs to know it. */
export interface JobSpec {
  readonly requestId: string;
  /** The client behind the request. */
  readonly caller: Caller;
  /** The kind of request, as operators see it: `chat.completions`. */
  readonly kind: string;
  readonly model: string;
  /** The only worker that may serve it; undefined where any may. */
  readonly workerId?: string | undefined;
  /** Who must not serve it. */
  readonly excluded?: Excluded;
  /** Whether another job of the same request has had a slot: then a full queue does not turn this one away. */
  readonly wasAccepted?: boolean;
  /** Whether another quantization of the model is of no use. */
  readonly exact: boolean;
  /** The kind of exchange that the heads of its requests name; undefined for HTTP. */
  readonly exchangeKind?: string | undefined;
  /** Longest silence of the worker, in milliseconds, before its first byte and between bytes. */
  readonly silenceMs: number;
  /** Longest time in milliseconds for which the client may take nothing while the worker is held back for it. */
  readonly stallMs: number;
  readonly request: RequestForAttempt;
}

/** How a job ended. Every job ends exactly once. */
export type JobEnd =
  | { readonly kind: "complete" }
  | { readonly kind: "canceled" }
  /** `begun`: the answer's head was already handed on, so the client must be told in its stream. */
  | { readonly kind: "failed"; readonly fault: Fault; readonly begun: boolean };

/** Who takes a job's answer; the head comes with its first byte, or with the end of an empty body. Never called before `start` has returned, except `onEnd` with a fault of the pool. */
export interface JobSink {
  onHead(head: ResponseHead): void;
  onData(bytes: Uint8Array): void;
  onEnd(end: JobEnd): void;
}

/** What is known of a job at its end: for metrics, totals and its one log line. */
export interface JobReport {
  readonly caller: Caller;
  readonly end: JobEnd;
  /** The worker of the last attempt; undefined when the job never had one. */
  readonly claim: Claim | undefined;
  readonly attempts: number;
  /** How often a worker turned it down for want of a slot; no attempt. */
  readonly refusals: number;
  /** Why it was last sent elsewhere; undefined when it was not. */
  readonly retryReason: string | undefined;
  readonly queuedMs: number;
  /** From the job's start to the answer's first byte; undefined without one. */
  readonly firstByteMs: number | undefined;
  readonly durationMs: number;
  readonly bytesOut: number;
  readonly status: number | undefined;
}

/** One try and two more: a request on which three workers end is more likely to be the cause. */
const MAX_ATTEMPTS = 3;

/** How often a job is sent elsewhere at once because a worker had no slot; after that it waits before each further try. */
const MAX_REFUSALS = 3;

/** The reasons for which a job may go to another worker. With each of them no worker has begun to answer it. */
const RETRY_REASONS: ReadonlySet<string> = new Set([
  "lost",
  "draining",
  "upstream_unreachable",
  "too_large",
  "unsupported",
]);
/** The reasons that waiting for the same worker does not mend. */
const NOT_WAITED_FOR: ReadonlySet<string> = new Set(["upstream_unreachable", "too_large", "unsupported"]);

/**
 * A job from acceptance to its one end: claim now, else wait, else say why; send; and when the worker is lost before
 * its first byte, claim elsewhere and send again.
 */
export class Job implements RegisteredJob {
  readonly #pool: Pool;
  readonly #clock: Clock;
  readonly #spec: JobSpec;
  readonly #sink: JobSink;
  readonly #onReport: (report: JobReport) => void;
  readonly #ticket: JobTicket;
  readonly #startedAt: number;
  #queuedAt: number | undefined;
  #queuedMs = 0;
  #wait: Wait | undefined;
  #claim: Claim | undefined;
  #exchange: Exchange | undefined;
  /** The answer's head while no byte has followed it: until then the job can still go elsewhere. */
  #heldHead: ResponseHead | undefined;
  #attempts = 0;
  #refusals = 0;
  #retryReason: string | undefined;
  #firstByteMs: number | undefined;
  #status: number | undefined;
  #bytesOut = 0;
  /** Why we had the worker stop, where that was not the client's wish. */
  #stopped: Fault | undefined;
  #stopWatch: CancelTimer | undefined;
  #ended = false;
  #id = "";

  constructor(pool: Pool, clock: Clock, spec: JobSpec, sink: JobSink, onReport: (report: JobReport) => void) {
    this.#pool = pool;
    this.#clock = clock;
    this.#spec = spec;
    this.#sink = sink;
    this.#onReport = onReport;
    const { model, workerId, exact, exchangeKind, excluded = NOBODY, caller, wasAccepted } = spec;
    const demand: Demand = { model, workerId, exact, exchangeKind, excluded };
    this.#startedAt = clock.elapsed();
    this.#ticket = pool.issueTicket({ demand, caller }, this.#startedAt, wasAccepted);
  }

  /** Its place in the queue, 1 is next; 0 while it does not wait. */
  get position(): number {
    return this.#wait?.position() ?? 0;
  }

  /** The worker it is with; undefined while it waits. */
  get claim(): Claim | undefined {
    return this.#claim;
  }

  facts(): JobFacts {
    const now = this.#clock.elapsed();
    const waitingMs = this.#queuedMs + (this.#queuedAt === undefined ? 0 : now - this.#queuedAt);
    return {
      id: this.#id,
      requestId: this.#spec.requestId,
      kind: this.#spec.kind,
      model: this.model,
      workerId: this.isWaiting ? undefined : this.#claim?.worker.id,
      status: this.isWaiting ? "waiting" : this.#status === undefined ? "running" : "streaming",
      position: this.position,
      ageMs: now - this.#startedAt,
      waitingMs,
      bytesOut: this.#bytesOut,
    };
  }

  get isWaiting(): boolean {
    return this.#wait !== undefined;
  }

  get model(): string {
    return (this.isWaiting ? undefined : this.#claim?.model) ?? this.#spec.model;
  }

  get bytesOut(): number {
    return this.#bytesOut;
  }

  start(): void {
    this.#id = this.#pool.jobs.register(this);
    this.#acquire();
  }

  /** Leaves the queue, or tells the worker to stop: the client is gone, or is told this fault. */
  cancel(fault?: Fault): void {
    if (this.#ended) return;
    this.#stopped ??= fault;
    if (this.#exchange) this.#exchange.cancel("canceled");
    else if (fault) this.#fail(fault);
    else this.#end({ kind: "canceled" });
  }

  /** The client has taken so many bytes. */
  consumed(bytes: number): void {
    this.#exchange?.consumed(bytes);
  }

  #acquire(): void {
    try {
      const claim = this.#refusals >= MAX_REFUSALS ? undefined : this.#pool.claim(this.#ticket);
      if (claim) return this.#dispatch(claim);
      this.#queuedAt = this.#clock.elapsed();
      this.#wait = this.#pool.wait(
        this.#ticket,
        (granted) => {
          this.#leaveQueue();
          this.#dispatch(granted);
        },
        (fault) => {
          this.#leaveQueue();
          this.#fail(fault);
        },
      );
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      this.#fail(error);
    }
  }

  #leaveQueue(): void {
    this.#wait = undefined;
    if (this.#queuedAt !== undefined) this.#queuedMs += this.#clock.elapsed() - this.#queuedAt;
    this.#queuedAt = undefined;
  }

  #dispatch(claim: Claim): void {
    let request: ExchangeRequest | undefined;
    try {
      request = this.#spec.request(claim);
    } catch (error) {
      // A slot must not be lost to a request that cannot be made, nor whoever freed it be disturbed.
      claim.release();
      return this.#fail(error instanceof Fault ? error : new Fault("internal_error", { cause: error }));
    }
    if (!request) {
      claim.release();
      return this.#end({ kind: "complete" });
    }
    this.#attempts += 1;
    this.#claim = claim;
    const exchange = claim.open(request, {
      onHead: (head) => {
        this.#heldHead = head;
      },
      onData: (bytes) => {
        if (this.#heldHead) this.#begin(this.#heldHead);
        this.#bytesOut += bytes.length;
        this.#sink.onData(bytes);
      },
      onEnd: (end) => this.#onExchangeEnd(claim, end),
      onSettled: () => claim.release(),
    });
    this.#exchange = exchange;
    this.#watch(exchange);
  }

  #begin(head: ResponseHead): void {
    this.#heldHead = undefined;
    this.#firstByteMs = this.#clock.elapsed() - this.#startedAt;
    this.#status = head.status;
    this.#sink.onHead(head);
  }

  #onExchangeEnd(claim: Claim, end: ExchangeEnd): void {
    this.#exchange = undefined;
    this.#stopWatch?.();
    switch (end.kind) {
      case "complete":
        if (this.#heldHead) this.#begin(this.#heldHead);
        return this.#end({ kind: "complete" });
      case "canceled":
        if (this.#stopped) return this.#fail(this.#stopped);
        return end.cause instanceof Fault ? this.#fail(end.cause) : this.#end({ kind: "canceled" });
      case "too_large":
        return this.#retryOr(claim, "too_large", tooLargeForWorker(end.maxBytes));
      case "unsupported":
        return this.#retryOr(claim, "unsupported", unsupportedByWorker(end.exchangeKind));
      case "lost":
        return this.#retryOr(claim, "lost", new Fault("worker_lost"));
      case "refused":
        return this.#onRefused(claim);
      case "broken":
        return this.#retryOr(claim, end.code, toFault(end.code));
      default:
        return end satisfies never;
    }
  }

  /** Sends the job elsewhere if nothing of an answer was handed on yet and the request cannot have been worked on in vain. */
  #retryOr(claim: Claim, reason: string, fault: Fault): void {
    const mayRetry = RETRY_REASONS.has(reason);
    if (this.#ended || this.#status !== undefined || !mayRetry || this.#attempts >= MAX_ATTEMPTS)
      return this.#fail(fault);
    this.#heldHead = undefined;
    const { demand } = this.#ticket;
    this.#ticket.demand = { ...demand, excluded: claim.exclude(demand.excluded) };
    // A lost worker is likely to come back in moments and is waited for; a backend that is down is not.
    if (NOT_WAITED_FOR.has(reason) && !this.#pool.hasOther(this.#ticket.demand)) return this.#fail(fault);
    this.#retryReason = reason;
    this.#ticket.expiresAt = undefined;
    claim.release();
    this.#acquire();
  }

  /**
   * The worker had no slot, so nobody has worked on the job: it keeps its attempts, its place in line and the deadline of
   * its wait. The worker is not excluded either; the pool lets it rest for a moment.
   */
  #onRefused(claim: Claim): void {
    if (this.#ended) return;
    this.#attempts -= 1;
    this.#refusals += 1;
    this.#claim = undefined;
    claim.refuse();
    this.#acquire();
  }

  #watch(exchange: Exchange): void {
    this.#stopWatch = watchSilence(this.#clock, exchange, this.#spec, (isStall) => {
      if (this.#exchange !== exchange) return;
      // A client that takes nothing has left in all but name; a worker that sends nothing is told to stop.
      if (!isStall) this.#stopped = new Fault("upstream_timeout");
      exchange.cancel(isStall ? "canceled" : "timeout");
    });
  }

  #fail(fault: Fault): void {
    this.#end({ kind: "failed", fault, begun: this.#status !== undefined });
  }

  #end(end: JobEnd): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#pool.jobs.unregister(this.#id);
    this.#stopWatch?.();
    this.#wait?.leave();
    if (this.#queuedAt !== undefined) this.#leaveQueue();
    this.#onReport({
      caller: this.#spec.caller,
      end,
      claim: this.#claim,
      attempts: this.#attempts,
      refusals: this.#refusals,
      retryReason: this.#retryReason,
      queuedMs: this.#queuedMs,
      firstByteMs: this.#firstByteMs,
      durationMs: this.#clock.elapsed() - this.#startedAt,
      bytesOut: this.#bytesOut,
      status: this.#status,
    });
    this.#sink.onEnd(end);
  }
}
