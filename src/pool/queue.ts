import type { CallerClass } from "../auth/caller.ts";
import type { Fault } from "../errors.ts";
import { SlidingSum } from "../figures/sliding-sum.ts";
import type { CancelTimer, Clock } from "../system/deps.ts";
import { Idle } from "../system/idle.ts";
import type { Claim } from "./claim.ts";
import { type PeerWait, PeerWaits } from "./peer-waits.ts";
import { pushedOutFault } from "./pool-faults.ts";
import type { QueuePolicy } from "./queue-policy.ts";
import type { Reasons } from "./reasons.ts";
import type { RemoteQueue } from "./remotes.ts";
import type { JobTicket, Ticket } from "./ticket.ts";
import { type Wait, type Waiting, Waits } from "./waits.ts";

export interface QueueOptions {
  readonly clock: Clock;
  readonly policy: QueuePolicy;
  readonly reasons: Reasons;
  /** How long a ticket may wait, counted from its first wait. */
  readonly timeoutMs: number;
  /** Is told which jobs wait, so that peers can offer them slots; absent without peers. */
  readonly remotes?: RemoteQueue | undefined;
  /** Called after each job that joins or leaves. */
  readonly onChange: () => void;
}

/** Which jobs may not wait any more, and why. */
export interface Refusal {
  readonly fault: () => Fault;
  mayWait(ticket: Ticket): boolean;
}

/** The figures that operators see of the waiting jobs. */
export type QueueFigures = Pick<Queue, "pushedOut" | "recentlyPushedOut" | "waitingByClass">;

/** The jobs of a pool that wait for a slot: who may wait, for how long, and the error of each that waits in vain. */
export class Queue {
  readonly #options: QueueOptions;
  readonly #waits: Waits;
  readonly #peers: PeerWaits;
  readonly #pushedOut = { interactive: 0, normal: 0, background: 0 };
  readonly #recentlyPushedOut = new SlidingSum();
  readonly #noneWaits = new Idle(() => this.size === 0);
  #refusal: Refusal | undefined;
  /** Runs once, at the end of the grace period, if a job has waited for a model that was unknown. */
  #graceTimer: CancelTimer | undefined;

  constructor(options: QueueOptions) {
    this.#options = options;
    this.#peers = new PeerWaits(options.clock, options.policy);
    this.#waits = new Waits({
      clock: options.clock,
      policy: options.policy,
      timeoutMs: options.timeoutMs,
      remotes: options.remotes,
      onChange: () => {
        options.onChange();
        this.#noneWaits.check();
      },
    });
  }

  /** The number of jobs of this server that wait. */
  get size(): number {
    return this.#waits.size;
  }

  /** Whether nothing waits, no job of a peer either. */
  get isEmpty(): boolean {
    return this.#waits.size === 0 && this.#peers.size === 0;
  }

  /** Waiting jobs that were refused so that others could wait, by their class. */
  get pushedOut(): Readonly<Record<CallerClass, number>> {
    return this.#pushedOut;
  }

  /** How many waiting jobs were refused in the last minute so that others could wait. */
  get recentlyPushedOut(): number {
    return this.#recentlyPushedOut.sum(this.#options.clock.elapsed());
  }

  /** Counts the waiting jobs of each class; looks at every one. */
  waitingByClass(): Readonly<Record<CallerClass, number>> {
    const counts = { interactive: 0, normal: 0, background: 0 };
    for (const ticket of this.#waits.tickets()) counts[ticket.class] += 1;
    return counts;
  }

  /** The tickets that wait now: a copy. */
  tickets(): readonly Ticket[] {
    return this.#waits.tickets();
  }

  has(ticket: Ticket): boolean {
    return this.#waits.has(ticket) || this.#peers.has(ticket);
  }

  /** Adds a job of a peer, which waits until it gets a slot or leaves. Nothing is added once no job may wait. */
  waitForPeer(wait: PeerWait): Wait {
    return this.#peers.add(wait, this.#refusal === undefined);
  }

  /** Adds a job, and refuses another one for it where the policy says so. Throws as `Pool.wait` does. */
  wait(ticket: JobTicket, onGranted: (claim: Claim) => void, onFailed: (fault: Fault) => void): Wait {
    if (this.#refusal && !this.#refusal.mayWait(ticket)) throw this.#refusal.fault();
    const { clock, policy, reasons } = this.#options;
    const eviction = ticket.wasAccepted ? undefined : policy.evict(ticket, clock.elapsed());
    if (eviction?.ticket === ticket) throw eviction.fault ?? reasons.full(ticket.demand);
    if (this.#graceTimer === undefined && !reasons.isKnown(ticket.demand))
      this.#graceTimer = clock.after(reasons.startGraceLeftMs, () => this.#endStartGrace());
    const evicted = eviction && this.#waits.take(eviction.ticket);
    const wait = this.#waits.add({ ticket, onGranted, onFailed }, (hold) =>
      onFailed(hold?.fault() ?? reasons.timeout(ticket.demand)),
    );
    if (evicted) {
      this.#pushedOut[evicted.ticket.class] += 1;
      this.#recentlyPushedOut.add(1, clock.elapsed());
    }
    evicted?.onFailed(eviction?.fault ?? pushedOutFault());
    return wait;
  }

  /** Tells peers of a waiting job of this server, unless they know of it. */
  want(ticket: Ticket): void {
    this.#waits.want(ticket);
  }

  /** Removes and returns a waiting job; undefined for a ticket that does not wait. */
  take(ticket: Ticket): Waiting | PeerWait | undefined {
    return this.#waits.take(ticket) ?? this.#peers.take(ticket);
  }

  /** Does the same for the jobs of this server only. */
  takeOwn(ticket: Ticket): Waiting | undefined {
    return this.#waits.take(ticket);
  }

  /**
   * From now on, lets only some jobs wait, and no job of a peer. All others, including those that wait now, fail with this
   * fault.
   */
  refuse(refusal: Refusal): void {
    this.#refusal = refusal;
    this.#peers.clear();
    for (const ticket of this.#waits.tickets())
      if (!refusal.mayWait(ticket)) this.#waits.take(ticket)?.onFailed(refusal.fault());
  }

  /** Resolves when no job waits. */
  noneWaits(): Promise<void> {
    return this.#noneWaits.wait();
  }

  /** Fails the jobs whose models no worker has brought within the grace period after the start. */
  #endStartGrace(): void {
    const { reasons } = this.#options;
    for (const ticket of this.#waits.tickets()) {
      if (reasons.isKnown(ticket.demand)) continue;
      this.#waits.take(ticket)?.onFailed(reasons.notBrought(ticket.demand));
    }
  }
}
