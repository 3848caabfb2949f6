import type { Exchange, ExchangeRequest, ExchangeSink } from "../tunnel/exchange.ts";
import { type Excluded, withSession } from "./excluded.ts";
import type { Route } from "./routing/route.ts";
import type { Choice } from "./routing/route-policy.ts";
import type { Seat, Work } from "./seat.ts";
import type { Ticket } from "./ticket.ts";

/** One slot of a worker, held for one job. Nothing behind it is visible, so the worker may be connected anywhere. */
export interface Claim {
  readonly worker: { readonly id: string; readonly name: string };
  /** The id of the worker's session. */
  readonly sessionId: string;
  /** The explanation why the job got this slot. */
  readonly route: Route;
  /** The id under which the worker serves the model: the one that was asked for, or that of a stand-in. */
  readonly model: string;
  /** The name of that model in requests to the worker: its id, unless the worker has said otherwise. */
  readonly sentAs: string;
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
  /** Gives the slot back. Every call after the first does nothing. */
  release(): void;
  /**
   * Gives the slot back because the worker had none: its count here was out of date. The worker gets no jobs for a
   * moment.
   */
  refuse(): void;
}

/** The owner of the counts that a claim changes. */
export interface ClaimOwner {
  /** Either this or `onRefused` is called, once for each claim. */
  onReleased(seat: Seat, ticket: Ticket, work: Work | undefined): void;
  onRefused(seat: Seat, ticket: Ticket): void;
  onCounted(seat: Seat, work: Work): void;
}

/** A slot of a worker in this pool. */
export class SeatClaim implements Claim {
  readonly model: string;
  readonly route: Route;
  readonly #seat: Seat;
  readonly #ticket: Ticket;
  readonly #owner: ClaimOwner;
  /** The end of a job, the end of its session and the confirm timeout may all release. */
  #isHeld = true;
  #work: Work | undefined;

  constructor({ to, route }: Choice, ticket: Ticket, owner: ClaimOwner) {
    this.#seat = to.seat;
    this.#ticket = ticket;
    this.model = to.model;
    this.route = route;
    this.#owner = owner;
  }

  get worker(): Claim["worker"] {
    return this.#seat.session.worker;
  }

  get sessionId(): string {
    return this.#seat.session.id;
  }

  get sentAs(): string {
    return this.#seat.sentAs(this.model);
  }

  get embeddingBatchSize(): number | undefined {
    return this.#seat.session.offer.embeddingBatchSize;
  }

  get isKeptAlive(): boolean {
    return this.#seat.session.dialect === "legacy";
  }

  open(request: ExchangeRequest, sink: ExchangeSink): Exchange {
    return this.#seat.session.open(request, sink);
  }

  exclude(from: Excluded): Excluded {
    return withSession(from, this.#seat.session.id);
  }

  count(work: Work): void {
    this.#work = work;
    this.#owner.onCounted(this.#seat, work);
  }

  release(): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    this.#owner.onReleased(this.#seat, this.#ticket, this.#work);
  }

  refuse(): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    this.#owner.onRefused(this.#seat, this.#ticket);
  }
}
