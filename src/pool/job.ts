import { Fault } from "../errors.ts";
import type { CancelTimer, Clock } from "../system/deps.ts";
import { watchSilence } from "../system/silence.ts";
import type { Exchange, ExchangeEnd, ExchangeRequest } from "../tunnel/exchange.ts";
import type { Session } from "../tunnel/session.ts";
import type { ResponseHead } from "../wire/frame.ts";
import type { Demand } from "./directory.ts";
import { toFault, tooLargeForWorker } from "./job-faults.ts";
import type { JobFacts, RegisteredJob } from "./jobs-registry.ts";
import type { Claim, Pool, Wait } from "./pool.ts";

/** One client's request, as the pool needs to know it. */
export interface JobSpec {
  readonly requestId: string;
  /** What is asked, as operators see it: `chat.completions`. */
  readonly kind: string;
  readonly model: string;
  /** Only this worker will do. */
  readonly workerId?: string | undefined;
  /** Sessions that will not do. */
  readonly excluded?: Iterable<Session>;
  /** Another quantization of the model will not do. */
  readonly exact: boolean;
  /** Longest silence of the worker, before its first byte and between bytes. */
  readonly silenceMs: number;
  /** Longest time the client may take nothing while the worker is held back for it. */
  readonly stallMs: number;
  /**
   * The request for one attempt, its body from the first byte; `claim.model` is what the worker calls the model.
   * Undefined when others have done the work meanwhile: the job then ends complete, without an answer.
   */
  readonly request: (claim: Claim) => ExchangeRequest | undefined;
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
  readonly end: JobEnd;
  /** The worker of the last attempt; undefined when the job never had one. */
  readonly claim: Claim | undefined;
  readonly attempts: number;
  /** Why it was last sent elsewhere; undefined when it was not. */
  readonly retryReason: string | undefined;
  readonly queuedMs: number;
  /** From the job's start to the answer's first byte; undefined without one. */
  readonly firstByteMs: number | undefined;
  readonly durationMs: number;
  readonly bytesOut: number;
  readonly status: number | undefined;
}

/** One try and two more: a request that ends three workers is more likely their bane than their victim. */
const MAX_ATTEMPTS = 3;

/** Why a job may go to another worker: nobody has begun to answer it. */
const RETRY_REASONS: ReadonlySet<string> = new Set([
  "lost",
  "refused",
  "draining",
  "upstream_unreachable",
  "too_large",
]);
/** Those of them that time does not mend. */
const NOT_WAITED_FOR: ReadonlySet<string> = new Set(["upstream_unreachable", "too_large"]);

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
  readonly #excluded = new Set<Session>();
  readonly #ticketNumber: number;
  readonly #startedAt: number;
  #queuedAt: number | undefined;
  #queuedMs = 0;
  #wait: Wait | undefined;
  #claim: Claim | undefined;
  #exchange: Exchange | undefined;
  /** The answer's head while no byte has followed it: until then the job can still go elsewhere. */
  #heldHead: ResponseHead | undefined;
  #attempts = 0;
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
    for (const session of spec.excluded ?? []) this.#excluded.add(session);
    this.#ticketNumber = pool.nextTicketNumber();
    this.#startedAt = clock.elapsed();
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
      workerId: this.isWaiting ? undefined : this.#claim?.seat.session.worker.id,
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
    const { model, workerId, exact } = this.#spec;
    const demand: Demand = { model, workerId, exact, excluded: this.#excluded };
    try {
      const claim = this.#pool.claim(demand);
      if (claim) return this.#dispatch(claim);
      this.#queuedAt = this.#clock.elapsed();
      this.#wait = this.#pool.wait(
        demand,
        this.#ticketNumber,
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
    const exchange = claim.seat.session.open(request, {
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
      case "lost":
        return this.#retryOr(claim, "lost", new Fault("worker_lost"));
      case "refused":
        return this.#retryOr(claim, "refused", new Fault("no_worker_available", { retryAfterS: 2 }));
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
    this.#excluded.add(claim.seat.session);
    const { model, workerId, exact } = this.#spec;
    const others = this.#pool.hasOther({ model, workerId, exact, excluded: this.#excluded });
    // A lost worker is likely to come back in moments and is waited for; a backend that is down is not.
    if (NOT_WAITED_FOR.has(reason) && !others) return this.#fail(fault);
    this.#retryReason = reason;
    claim.release();
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
      end,
      claim: this.#claim,
      attempts: this.#attempts,
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
