import { Fault } from "../errors.ts";
import type { Clock } from "../system/deps.ts";
import type { SilenceWatch } from "../system/silence.ts";
import type { Exchange, ExchangeEnd, ExchangeRequest } from "../tunnel/exchange.ts";
import { Attempt } from "./attempt.ts";
import { candidateOf } from "./candidate.ts";
import type { Claim } from "./claim.ts";
import { NONE_EXCLUDED } from "./excluded.ts";
import { type Failure, failureOf } from "./job-faults.ts";
import type { FailedAttempt, JobEnd, JobReport, JobSink, JobSpec } from "./job-spec.ts";
import type { JobFacts, RegisteredJob } from "./jobs-registry.ts";
import { patienceWith, watchSilence } from "./patience.ts";
import type { Pool } from "./pool.ts";
import { QueueTime } from "./queue-time.ts";
import type { JobTicket, Ticket } from "./ticket.ts";
import { Tries } from "./tries.ts";
import type { Wait } from "./waits.ts";

/**
 * A job from its acceptance to its one end: it claims a slot, or waits for one, or fails with the reason; sends the request;
 * and when the worker is lost before its first byte, claims another slot and sends the request again.
 */
export class Job implements RegisteredJob {
  readonly #pool: Pool;
  readonly #clock: Clock;
  readonly #spec: JobSpec;
  readonly requestId: string;
  readonly outputForm: JobSpec["outputForm"];
  readonly #sink: JobSink;
  readonly #onReport: (report: JobReport) => void;
  readonly #ticket: JobTicket;
  readonly #startedAt: number;
  readonly #queueTime = new QueueTime();
  #wait: Wait | undefined;
  #exchange: Exchange | undefined;
  /** The last attempt; undefined before the first, and after a refusal. */
  #attempt: Attempt | undefined;
  readonly #tries = new Tries();
  #firstByteMs: number | undefined;
  #status: number | undefined;
  bytesOut = 0;
  /** The server's own reason for stopping the worker; undefined if the client gave up. */
  #stopped: Fault | undefined;
  #silence: SilenceWatch | undefined;
  #ended = false;
  #id = "";

  constructor(pool: Pool, clock: Clock, spec: JobSpec, sink: JobSink, onReport: (report: JobReport) => void) {
    this.#pool = pool;
    this.#clock = clock;
    this.#spec = spec;
    this.requestId = spec.requestId;
    this.outputForm = spec.outputForm;
    this.#sink = sink;
    this.#onReport = onReport;
    this.#startedAt = clock.elapsed();
    this.#ticket = pool.issueTicket(candidateOf(spec), this.#startedAt, spec.wasAccepted);
  }

  /** Its place in the queue: 1 is next, 0 means that it does not wait. */
  get position(): number {
    return this.#wait?.position() ?? 0;
  }

  /** The limit of its key that holds it back; undefined if none does. */
  get limit(): string | undefined {
    return this.#wait?.limit();
  }

  /** The slot that it has or had last; undefined before its first. */
  get claim(): Claim | undefined {
    return this.#attempt?.claim;
  }

  facts(): JobFacts {
    const now = this.#clock.elapsed();
    const claim = this.isWaiting ? undefined : this.claim;
    return {
      id: this.#id,
      requestId: this.requestId,
      kind: this.#spec.kind,
      model: this.model,
      workerId: claim?.worker.id || undefined,
      server: claim?.worker.server,
      route: claim?.route,
      status: this.isWaiting ? "waiting" : this.#status === undefined ? "running" : "streaming",
      position: this.position,
      ageMs: now - this.#startedAt,
      waitingMs: this.#queueTime.totalMs(now),
      bytesOut: this.bytesOut,
      firstByteMs: this.#firstByteMs,
      answerStatus: this.#status,
      attemptMs: this.isWaiting ? undefined : this.#attempt?.times.runningMs,
      ...this.#tries.report,
    };
  }

  get isWaiting(): boolean {
    return this.#wait !== undefined;
  }

  get ticket(): Ticket {
    return this.#ticket;
  }

  get model(): string {
    return (this.isWaiting ? undefined : this.claim?.model) ?? this.#spec.model;
  }

  start(): void {
    this.#id = this.#pool.jobs.register(this);
    this.#acquire();
  }

  /** Ends the job: it leaves the queue, or its worker is told to stop. The client gets the fault, unless it has left. */
  cancel(fault?: Fault): void {
    if (this.#ended) return;
    this.#stopped ??= fault;
    if (this.#exchange) this.#exchange.cancel("canceled");
    else if (fault) this.#fail(fault);
    else this.#end({ kind: "canceled" });
  }

  /** Reports that the client has taken this many more bytes. */
  consumed(bytes: number): void {
    this.#exchange?.consumed(bytes);
  }

  #acquire(): void {
    // A slot that was given back has gone to another job, whose end may have canceled this one.
    if (this.#ended) return;
    try {
      const claim = this.#tries.mustWait ? undefined : this.#pool.claim(this.#ticket);
      if (claim) return this.#dispatch(claim);
      this.#queueTime.begin(this.#clock.elapsed());
      const wait = this.#pool.wait(
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
      // The wait may be over already: a job that was evicted for it may have freed a slot, or canceled this job.
      if (!this.#queueTime.isRunning) wait.leave();
      else this.#wait = wait;
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      this.#fail(error);
    }
  }

  #leaveQueue(): void {
    this.#wait = undefined;
    this.#queueTime.end(this.#clock.elapsed());
  }

  #dispatch(claim: Claim): void {
    try {
      const request = this.#spec.request(claim, this.#tries.next);
      if (request) return this.#send(request, claim);
    } catch (error) {
      // A request that cannot be sent must cost neither the slot nor the job that has just freed it.
      claim.release();
      return this.#fail(error instanceof Fault ? error : new Fault("internal_error", { cause: error }));
    }
    claim.release();
    this.#end({ kind: "complete" });
  }

  #send(request: ExchangeRequest, claim: Claim): void {
    this.#tries.begin();
    const attempt = new Attempt(claim, this.#clock);
    this.#attempt = attempt;
    const exchange = claim.open(request, {
      onHead: (head) => attempt.hold(head),
      onData: (bytes) => {
        this.#begin(attempt);
        // The sink may have canceled the job at its head.
        if (this.#ended) return;
        this.bytesOut += bytes.length;
        this.#sink.onData(bytes);
      },
      onEnd: (end) => this.#onExchangeEnd(attempt, end),
      onSettled: () => claim.release(),
    });
    this.#exchange = exchange;
    this.#silence = watchSilence(this.#clock, exchange, patienceWith(claim, this.#spec), (fault) => {
      this.#stopped = fault;
    });
  }

  /** Passes on the answer's head, unless that was done. */
  #begin(attempt: Attempt): void {
    const head = attempt.heldHead;
    if (!head) return;
    attempt.begin();
    this.#firstByteMs = this.#clock.elapsed() - this.#startedAt;
    this.#status = head.status;
    this.#sink.onHead(head);
  }

  #onExchangeEnd(attempt: Attempt, end: ExchangeEnd): void {
    this.#exchange = undefined;
    this.#silence?.stop();
    const { claim } = attempt;
    if (end.kind === "complete") {
      this.#begin(attempt);
      this.#end({ kind: "complete" });
      // Only now: a worker that is back may get jobs at once, whose ends may cancel this one.
      return void attempt.judge(end, false);
    }
    // Before the job goes on, so that a worker which is out by now does not get it again.
    const failure = attempt.judge(end, this.#stopped?.code === "upstream_timeout");
    switch (end.kind) {
      case "canceled":
        if (this.#stopped) return this.#fail(this.#stopped);
        return end.cause instanceof Fault ? this.#fail(end.cause) : this.#end({ kind: "canceled" });
      case "refused":
        return this.#onRefused(claim);
      default:
        return this.#retryOrFail(claim, failureOf(end), failure);
    }
  }

  /** Sends the job elsewhere if no byte of an answer has been passed on and another worker may do better. */
  #retryOrFail(claim: Claim, failure: Failure, failed: FailedAttempt | undefined): void {
    const { reason, fault, otherwise, hasLeft } = failure;
    if (hasLeft) this.#tries.left();
    const mayRetry = otherwise !== "fail" && this.#status === undefined && this.#tries.hasMore;
    if (this.#ended || !mayRetry) return this.#fail(fault);
    const { demand } = this.#ticket;
    this.#ticket.demand = { ...demand, excluded: claim.exclude(demand.excluded) };
    const isAlone = otherwise !== "wait" && !this.#pool.hasOther(this.#ticket.demand);
    if (isAlone && otherwise === "try others") return this.#fail(fault);
    this.#tries.retry(reason, failed);
    if (isAlone) return this.#waitForRecovery(claim);
    this.#ticket.expiresAt = undefined;
    claim.release();
    this.#acquire();
  }

  /**
   * No worker's backend can be reached, and none has seen the job. Later jobs wait until a worker reports that its backend is
   * back, and so does this one. The worker rests for a moment, in which it reports that it is not ready.
   */
  #waitForRecovery(claim: Claim): void {
    const { demand } = this.#ticket;
    this.#ticket.demand = { ...demand, excluded: this.#spec.excluded ?? NONE_EXCLUDED };
    claim.refuse();
    this.#acquire();
  }

  /**
   * The worker had no slot, so nobody has worked on the job: it keeps its attempts, its place in line and the deadline of
   * its wait. The worker is not excluded either; the pool lets it rest for a moment.
   */
  #onRefused(claim: Claim): void {
    if (this.#ended) return;
    this.#tries.refused();
    this.#attempt = undefined;
    claim.refuse();
    this.#acquire();
  }

  #fail(fault: Fault): void {
    this.#end({ kind: "failed", fault, begun: this.#status !== undefined });
  }

  #end(end: JobEnd): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#pool.jobs.unregister(this.#id);
    this.#silence?.stop();
    this.#wait?.leave();
    this.#leaveQueue();
    const now = this.#clock.elapsed();
    this.#onReport({
      jobId: this.#id,
      requestId: this.requestId,
      kind: this.#spec.kind,
      caller: this.#spec.caller,
      class: this.#ticket.class,
      endUser: this.#spec.endUser,
      end,
      claim: this.claim,
      ...this.#tries.report,
      lastAttempt: this.#attempt?.times,
      queuedMs: this.#queueTime.totalMs(now),
      firstByteMs: this.#firstByteMs,
      durationMs: now - this.#startedAt,
      bytesOut: this.bytesOut,
      status: this.#status,
    });
    this.#sink.onEnd(end);
  }
}
