import type { Exchange, ExchangeRequest, ExchangeSink } from "../tunnel/exchange.ts";
import type { Session } from "../tunnel/session.ts";
import type { HostInfo } from "../wire/worker-messages.ts";
import { type Excluded, withSession } from "./excluded.ts";
import type { Health } from "./routing/health.ts";
import type { Route } from "./routing/route.ts";
import type { Choice } from "./routing/route-policy.ts";
import type { Verdict } from "./routing/verdict.ts";
import type { SeatModel, Work } from "./seat.ts";
import type { Ticket } from "./ticket.ts";

/** The worker of a claim. */
export interface ClaimedWorker {
  /** Empty, like the name, while another server chooses the worker and has not named it yet. */
  readonly id: string;
  readonly name: string;
  /** The id of the other server that the worker is connected to; absent for a worker of this server. */
  readonly server?: string;
}

/** One slot of a worker, held for one job. Nothing behind it is visible, so the worker may be connected anywhere. */
export interface Claim {
  readonly worker: ClaimedWorker;
  /** The id of the worker's session; empty while the worker is not known. */
  readonly sessionId: string;
  /** Why the job got this slot. */
  readonly route: Route;
  /** Whether the worker had the model in memory, as far as it tells. */
  readonly isLoaded: boolean;
  /** The id under which the worker serves the model: the one that was asked for, or that of a stand-in. */
  readonly model: string;
  /** The name of that model in requests to the worker: its id, unless the worker has said otherwise. */
  readonly sentAs: string;
  /** What the worker says of its host and its backend, such as `backend_family`. */
  readonly hostInfo: HostInfo;
  /** Inputs that the worker takes in one embeddings request; undefined if it has not said. */
  readonly embeddingBatchSize: number | undefined;
  /**
   * Whether heartbeats prove that the worker lives, although it says nothing on a job. Its session ends soon after they
   * stop, so a job need not watch for that.
   */
  readonly isKeptAlive: boolean;
  /** Starts an exchange with the worker. The sink MUST NOT be called before this call has returned. */
  open(request: ExchangeRequest, sink: ExchangeSink): Exchange;
  /** Returns the exclusions with the holder of this slot added, for a job that must not come back here. */
  exclude(from: Excluded): Excluded;
  /**
   * Adds an ended job to the totals of its worker. Called at most once. The queue policy is told of it only if it comes
   * before `release`.
   */
  count(work: Work): void;
  /** Tells what the end of the attempt says of the worker. Called at most once, whether or not the job goes on elsewhere. */
  judge(verdict: Verdict): void;
  /** Adds output that a job has made while it runs to the rate of its worker. `Work.uncounted` MUST NOT contain it again. */
  progress(output: number): void;
  /** Gives the slot back. Every call after the first does nothing. */
  release(): void;
  /**
   * Gives the slot back because the worker had none: its count here was out of date. The worker gets no jobs for a
   * moment.
   */
  refuse(): void;
}

/** A slot that is held for a job of another server, which has not said yet whether it takes the slot. */
export interface HeldClaim extends Claim {
  /** Gives the slot to a job. Called at most once, and before everything else but `release`. */
  assign(ticket: Ticket): void;
  /** The only tenants that the worker serves; undefined for all of them. */
  readonly tenants: ReadonlySet<string> | undefined;
}

/** What a claim consists of, for its owner. */
export interface ClaimParts {
  readonly to: SeatModel;
  readonly ticket: Ticket;
  /** `Clock.elapsed` at which the slot was taken. */
  readonly startedAt: number;
  /** The ejections of the worker that this job may end. */
  readonly probed: readonly Health[];
  readonly isLoaded: boolean;
}

/** The owner of the counts that a claim changes. */
export interface ClaimOwner {
  /** Either this or `onRefused` is called, once for each claim. */
  onReleased(claim: ClaimParts, work: Work | undefined): void;
  /** Notes that the slot goes to another job than `before`. */
  onAssigned(claim: ClaimParts, before: Ticket): void;
  onRefused(claim: ClaimParts): void;
  onCounted(claim: ClaimParts, work: Work): void;
  onJudged(claim: ClaimParts, verdict: Verdict): void;
  onProgress(claim: ClaimParts, output: number): void;
}

/** A slot of a worker in this pool. */
export class SeatClaim implements HeldClaim, ClaimParts {
  readonly to: SeatModel;
  readonly route: Route;
  readonly startedAt: number;
  readonly probed: readonly Health[];
  readonly isLoaded: boolean;
  #ticket: Ticket;
  readonly #owner: ClaimOwner;
  /** The end of a job, the end of its session and the confirm timeout may all release. */
  #isHeld = true;
  #work: Work | undefined;

  constructor({ to, route }: Choice, parts: Omit<ClaimParts, "to">, owner: ClaimOwner) {
    this.to = to;
    this.route = route;
    this.#ticket = parts.ticket;
    this.startedAt = parts.startedAt;
    this.probed = parts.probed;
    this.isLoaded = parts.isLoaded;
    this.#owner = owner;
  }

  get ticket(): Ticket {
    return this.#ticket;
  }

  get worker(): ClaimedWorker {
    return this.#session.worker;
  }

  get model(): string {
    return this.to.model;
  }

  get #session(): Session {
    return this.to.seat.session;
  }

  get sessionId(): string {
    return this.#session.id;
  }

  get sentAs(): string {
    return this.to.seat.sentAs(this.model);
  }

  get hostInfo(): HostInfo {
    return this.#session.worker.hostInfo;
  }

  get embeddingBatchSize(): number | undefined {
    return this.#session.offer.embeddingBatchSize;
  }

  get isKeptAlive(): boolean {
    return this.#session.dialect === "legacy";
  }

  open(request: ExchangeRequest, sink: ExchangeSink): Exchange {
    return this.#session.open(request, sink);
  }

  exclude(from: Excluded): Excluded {
    return withSession(from, this.#session.id);
  }

  count(work: Work): void {
    this.#work = work;
    this.#owner.onCounted(this, work);
  }

  judge(verdict: Verdict): void {
    this.#owner.onJudged(this, verdict);
  }

  progress(output: number): void {
    this.#owner.onProgress(this, output);
  }

  get tenants(): ReadonlySet<string> | undefined {
    return this.#session.offer.tenants;
  }

  assign(ticket: Ticket): void {
    if (!this.#isHeld) return;
    const before = this.#ticket;
    this.#ticket = ticket;
    this.#owner.onAssigned(this, before);
  }

  release(): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    this.#owner.onReleased(this, this.#work);
  }

  refuse(): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    this.#owner.onRefused(this);
  }
}
