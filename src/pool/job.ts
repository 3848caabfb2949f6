import { Fault } from "../errors.ts";
import type { Clock } from "../system/deps.ts";
import { SilenceWatch } from "../system/silence.ts";
import type { Exchange, ExchangeEnd, ExchangeRequest } from "../tunnel/exchange.ts";
import type { ResponseHead } from "../wire/frame.ts";
import type { Claim } from "./claim.ts";
import type { Demand } from "./directory.ts";
import { NONE_EXCLUDED } from "./excluded.ts";
import { type Failure, failureOf, silenceFault } from "./job-faults.ts";
import type { JobEnd, JobReport, JobSink, JobSpec } from "./job-spec.ts";
import type { JobFacts, RegisteredJob } from "./jobs-registry.ts";
import { patienceWith } from "./patience.ts";
import type { Pool } from "./pool.ts";
import type { JobTicket, Ticket } from "./ticket.ts";
import type { Wait } from "./waits.ts";

/** The most attempts of a job. A request with which three workers were lost is probably the cause. */
const MAX_ATTEMPTS = 3;

/** How often a job is sent elsewhere at once because a worker had no slot; after that it waits before each further try. */
const MAX_REFUSALS = 3;

/**
 * A job from its acceptance to its one end: it claims a slot, or waits for one, or fails with the reason; sends the request;
 * and when the worker is lost before its first byte, claims another slot and sends the request again.
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
  /** The server's own reason for stopping the worker; undefined if the client gave up. */
  #stopped: Fault | undefined;
  #silence: SilenceWatch | undefined;
  #ended = false;
  #id = "";

  constructor(pool: Pool, clock: Clock, spec: JobSpec, sink: JobSink, onReport: (report: JobReport) => void) {
    this.#pool = pool;
    this.#clock = clock;
    this.#spec = spec;
    this.#sink = sink;
    this.#onReport = onReport;
    const { model, workerId, workerReason, affinity, exact, exchangeKind, excluded = NONE_EXCLUDED } = spec;
    const demand: Demand = { model, workerId, workerReason, affinity, exact, exchangeKind, excluded };
    this.#startedAt = clock.elapsed();
    const { caller, endUser, wasAccepted } = spec;
    const candidate = { demand, caller, class: spec.class ?? caller.class, endUser };
    this.#ticket = pool.issueTicket(candidate, this.#startedAt, wasAccepted);
  }

  /** Its place in the queue: 1 is next, 0 means that it does not wait. */
  get position(): number {
    return this.#wait?.position() ?? 0;
  }

  /** The slot that it has or had last; undefined before its first. */
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
      route: this.isWaiting ? undefined : this.#claim?.route,
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

  get ticket(): Ticket {
    return this.#ticket;
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
      const claim = this.#refusals >= MAX_REFUSALS ? undefined : this.#pool.claim(this.#ticket);
      if (claim) return this.#dispatch(claim);
      this.#queuedAt = this.#clock.elapsed();
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
      if (this.#queuedAt === undefined) wait.leave();
      else this.#wait = wait;
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
    try {
      const request = this.#spec.request(claim, this.#attempts + this.#refusals + 1);
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
    this.#attempts += 1;
    this.#claim = claim;
    const exchange = claim.open(request, {
      onHead: (head) => {
        this.#heldHead = head;
      },
      onData: (bytes) => {
        if (this.#heldHead) this.#begin(this.#heldHead);
        // The sink may have canceled the job at its head.
        if (this.#ended) return;
        this.#bytesOut += bytes.length;
        this.#sink.onData(bytes);
      },
      onEnd: (end) => this.#onExchangeEnd(claim, end),
      onSettled: () => claim.release(),
    });
    this.#exchange = exchange;
    this.#watch(exchange, claim);
  }

  #begin(head: ResponseHead): void {
    this.#heldHead = undefined;
    this.#firstByteMs = this.#clock.elapsed() - this.#startedAt;
    this.#status = head.status;
    this.#sink.onHead(head);
  }

  #onExchangeEnd(claim: Claim, end: ExchangeEnd): void {
    this.#exchange = undefined;
    this.#silence?.stop();
    switch (end.kind) {
      case "complete":
        if (this.#heldHead) this.#begin(this.#heldHead);
        return this.#end({ kind: "complete" });
      case "canceled":
        if (this.#stopped) return this.#fail(this.#stopped);
        return end.cause instanceof Fault ? this.#fail(end.cause) : this.#end({ kind: "canceled" });
      case "refused":
        return this.#onRefused(claim);
      default:
        return this.#retryOrFail(claim, failureOf(end));
    }
  }

  /** Sends the job elsewhere if no byte of an answer has been passed on and another worker may do better. */
  #retryOrFail(claim: Claim, { reason, fault, otherwise }: Failure): void {
    const mayRetry = otherwise !== "fail" && this.#status === undefined && this.#attempts < MAX_ATTEMPTS;
    if (this.#ended || !mayRetry) return this.#fail(fault);
    this.#heldHead = undefined;
    const { demand } = this.#ticket;
    this.#ticket.demand = { ...demand, excluded: claim.exclude(demand.excluded) };
    const isAlone = otherwise !== "wait" && !this.#pool.hasOther(this.#ticket.demand);
    if (isAlone && otherwise === "try others") return this.#fail(fault);
    this.#retryReason = reason;
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
    this.#attempts -= 1;
    this.#refusals += 1;
    this.#claim = undefined;
    claim.refuse();
    this.#acquire();
  }

  #watch(exchange: Exchange, claim: Claim): void {
    const limits = patienceWith(claim, this.#spec);
    this.#silence = new SilenceWatch(this.#clock, exchange, limits, (isStall) => {
      // A client that takes nothing counts as gone. A worker that sends nothing is told to stop.
      if (!isStall) this.#stopped = silenceFault(limits.silenceMs, limits.silenceSetting);
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
    this.#silence?.stop();
    this.#wait?.leave();
    if (this.#queuedAt !== undefined) this.#leaveQueue();
    this.#onReport({
      caller: this.#spec.caller,
      class: this.#ticket.class,
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
