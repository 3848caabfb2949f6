import type { Fault } from "../errors.ts";
import { Idle } from "../system/idle.ts";
import type { Session, SessionHost } from "../tunnel/session.ts";
import { CLOSES } from "../wire/closes.ts";
import type { Claim } from "./claim.ts";
import { type Demand, Directory } from "./directory.ts";
import { type FlowFacts, listFlows } from "./flow-facts.ts";
import { JobsRegistry } from "./jobs-registry.ts";
import { mayUse } from "./may-use.ts";
import { FirstCome } from "./policies/first-come.ts";
import { PoolLoad } from "./pool-load.ts";
import { PoolModels } from "./pool-models.ts";
import type { PoolOptions } from "./pool-options.ts";
import { PoolPeers } from "./pool-peers.ts";
import { Queue, type QueueFigures } from "./queue.ts";
import type { Candidate, QueuePolicy, SharedService } from "./queue-policy.ts";
import { Reach } from "./reach.ts";
import { Reasons } from "./reasons.ts";
import { RemoteSlots } from "./remote-slots.ts";
import { LeastLoaded } from "./routing/least-loaded.ts";
import type { Seat } from "./seat.ts";
import { REST_MS, Slots } from "./slots.ts";
import type { JobTicket } from "./ticket.ts";
import { Tickets } from "./tickets.ts";
import type { Wait } from "./waits.ts";

/**
 * The sessions of one plugin and the jobs that wait for them. Claims are synchronous: nothing else runs between choosing
 * a worker and counting its slot, so a worker never holds more jobs than it declared. Which job waits, and which of those
 * that wait is next, is up to the queue policy; deadlines are the pool's.
 */
export class Pool implements SessionHost {
  /** The running and waiting jobs. */
  readonly jobs: JobsRegistry;
  readonly load: PoolLoad;
  /** The models that a request may name. */
  readonly models: PoolModels;
  /** What the pool exchanges with the pools of other servers. */
  readonly peers: PoolPeers;
  readonly #options: PoolOptions;
  readonly #directory: Directory;
  readonly #reach: Reach;
  readonly #policy: QueuePolicy;
  readonly #reasons: Reasons;
  readonly #queue: Queue;
  readonly #tickets: Tickets;
  #revision = 0;
  readonly #slots: Slots;
  readonly #remoteSlots: RemoteSlots;
  readonly #idle = new Idle(() => this.#slots.busy + this.#remoteSlots.held === 0 && this.#queue.size === 0);

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#tickets = new Tickets(options.clock.elapsed());
    this.jobs = new JobsRegistry(options.serverId, options.name, options.clock);
    const { remotes } = options;
    const routePolicy = options.routePolicy ?? new LeastLoaded();
    this.#directory = new Directory(options.clock, options.modelGraceMs, routePolicy, remotes?.models);
    this.#reach = new Reach(this.#directory, remotes?.models);
    this.models = new PoolModels(this.#directory, remotes?.models, this.#reach);
    this.#reasons = new Reasons(this.#reach, this.models, options);
    const createPolicy = options.createPolicy ?? (() => new FirstCome(options.queueSize));
    this.#policy = createPolicy({
      wake: (ticket) => {
        this.#queue.want(ticket);
        this.peers.wake(ticket);
      },
      refuse: (ticket, fault) => this.#queue.takeOwn(ticket)?.onFailed(fault),
      loadOf: (demand) => this.#reach.loadOf(demand),
    });
    this.#queue = new Queue({
      clock: options.clock,
      policy: this.#policy,
      reasons: this.#reasons,
      timeoutMs: options.queueTimeoutMs,
      remotes: remotes?.queue,
      onChange: () => this.#onChange(),
    });
    this.load = new PoolLoad(this.#directory, this.#queue);
    this.#slots = new Slots({
      clock: options.clock,
      directory: this.#directory,
      policy: this.#policy,
      queue: this.#queue,
      onChange: () => this.#onChange(),
      onHealth: (event) => options.onHealth?.(event),
    });
    this.#remoteSlots = new RemoteSlots({
      clock: options.clock,
      reach: this.#reach,
      policy: this.#policy,
      queue: this.#queue,
      onChange: () => this.#onChange(),
    });
    this.peers = new PoolPeers({
      clock: options.clock,
      directory: this.#directory,
      reach: this.#reach,
      queue: this.#queue,
      slots: this.#slots,
      remoteSlots: this.#remoteSlots,
      remotes,
      tickets: this.#tickets,
      onChange: () => this.touch(),
    });
  }

  /** Grows with every change that a snapshot would show. */
  get revision(): number {
    return this.#revision;
  }

  get queueLength(): number {
    return this.#queue.size;
  }

  get queueCapacity(): number {
    return this.#options.queueSize;
  }

  /** Figures of the waiting jobs. */
  get queue(): QueueFigures {
    return this.#queue;
  }

  /** How many flows have jobs or had some in the last minute. */
  get flowCount(): number {
    return this.#policy.flows(this.#options.clock.elapsed()).length;
  }

  /** Slots held over all workers of this server. */
  get busyTotal(): number {
    return this.#slots.busy;
  }

  /** What callers have received, to be shared with other servers; undefined if the queue policy does not use it. */
  get sharedService(): SharedService | undefined {
    return this.#policy.shared;
  }

  /** Lists who has jobs here, as far as the queue policy tells callers apart. The list is bounded. */
  flows(): readonly FlowFacts[] {
    return listFlows(this.#policy.flows(this.#options.clock.elapsed()));
  }

  seats(): Iterable<Seat> {
    return this.#directory.seats();
  }

  seatOf(workerId: string): Seat | undefined {
    return this.#directory.seatOf(workerId);
  }

  /** Adds a new session. An older session of the same worker is closed, unless it drains: then it ends with its last job. */
  onOpened(session: Session): void {
    const before = this.#directory.seatOf(session.worker.id);
    const seat = this.#directory.seat(session, this.#options.isDrained?.(session.worker.id) ?? false);
    this.#revision += 1;
    this.#slots.health.enter(seat, before);
    this.#directory.rank(seat);
    if (before?.session.offer.status !== "draining") before?.session.close(CLOSES.replaced);
    this.#slots.serve(seat);
  }

  onOfferChange(session: Session): void {
    const seat = this.#directory.seatFor(session);
    if (!seat) return;
    const before = seat.models;
    this.#slots.endRest(seat);
    this.#directory.update(seat);
    this.#revision += 1;
    this.#slots.serve(seat);
    this.#slots.serveOthers(before);
  }

  onClosed(session: Session): void {
    const seat = this.#directory.seatFor(session);
    if (!seat) return;
    this.#slots.endRest(seat);
    if (this.#directory.unseat(seat)) this.#slots.health.leave(seat);
    this.#revision += 1;
    this.#slots.serveOthers(seat.models);
  }

  /**
   * Takes a worker out of service, or puts it back: a drained worker gets no more jobs and finishes those it has. This
   * lasts as long as the worker's session; for its next one `isDrained` is asked. Returns false for a worker that is not
   * connected.
   */
  setDrained(workerId: string, isDrained: boolean): boolean {
    const seat = this.#directory.seatOf(workerId);
    if (!seat) return false;
    if (seat.isDrained === isDrained) return true;
    seat.isDrained = isDrained;
    this.onOfferChange(seat.session);
    return true;
  }

  /** Issues the ticket of a job that arrives now, by `Clock.elapsed`. See `Tickets.issue`. */
  issueTicket(candidate: Candidate, arrivedAt: number, wasAccepted = false): JobTicket {
    return this.#tickets.issue(candidate, arrivedAt, wasAccepted);
  }

  /**
   * Returns a slot if there is one at once, else undefined. Throws `model_not_found` or `worker_not_found` for a model or
   * worker that is not known at all, and `no_worker_available` if waiting would change nothing. A model that the caller may
   * not use is refused whether or not anyone serves it.
   */
  claim(ticket: JobTicket): Claim | undefined {
    const isAllowed = mayUse(ticket.caller, ticket.demand.model);
    const choice = isAllowed ? this.#reach.choose(ticket.demand) : undefined;
    if (!choice) {
      // A model that a worker serves is known, so most jobs need no further look-up.
      this.#reasons.assertMayWait(ticket, isAllowed);
      return undefined;
    }
    const now = this.#options.clock.elapsed();
    if (!this.#policy.mayBegin(ticket, now)) return undefined;
    return "to" in choice ? this.#slots.hold(choice, ticket, now) : this.#remoteSlots.hold(choice, ticket, now);
  }

  /** Whether `claim` would give a slot now. */
  hasRoomFor(candidate: Candidate): boolean {
    return (
      this.#reach.choose(candidate.demand) !== undefined &&
      this.#policy.mayBegin(candidate, this.#options.clock.elapsed())
    );
  }

  /**
   * Waits for a slot, until the deadline of the ticket: `queueTimeoutMs` after its first wait. A wait for a model that is
   * still unknown ends with the grace period after the start. Throws `queue_full`, or the policy's fault, when the ticket may
   * not wait. Otherwise calls either `onGranted` or `onFailed` once, or neither after `leave`. A ticket that was accepted
   * before is never refused: jobs in flight bound how many of them wait.
   *
   * A job that workers have refused too often may wait although a slot is free, unlike one to which `claim` gave no slot. It
   * gets that slot a moment later.
   */
  wait(ticket: JobTicket, onGranted: (claim: Claim) => void, onFailed: (fault: Fault) => void): Wait {
    const wait = this.#queue.wait(ticket, onGranted, onFailed);
    if (this.hasRoomFor(ticket)) this.#options.clock.after(REST_MS, () => this.peers.wake(ticket));
    return wait;
  }

  /**
   * From now on, lets no job wait for a worker of this server. Waiting jobs, and jobs that would have to wait, fail with this
   * fault, except those that workers of peers may serve.
   */
  refuseWaiting(fault: () => Fault): void {
    this.#revision += 1;
    this.#queue.refuse({ fault, mayWait: ({ demand }) => this.#reach.isServedElsewhere(demand) });
  }

  /** Whether any worker that is not excluded might take this job, now or later. */
  hasOther(demand: Demand): boolean {
    return this.#reach.isServed(demand, false);
  }

  /** Whether a worker that is ready, busy or not, serves the demand. */
  isServed(demand: Demand): boolean {
    return this.#reach.isServed(demand, true);
  }

  /** Notes a change of something that is counted elsewhere and shown with the pool. */
  touch(): void {
    this.#revision += 1;
  }

  /** Resolves when no job waits. The queue's time limit bounds how long jobs that wait now can take, but others may follow. */
  noneWaits(): Promise<void> {
    return this.#queue.noneWaits();
  }

  /** Resolves when no slot is held and no job waits. */
  idle(): Promise<void> {
    return this.#idle.wait();
  }

  #onChange(): void {
    this.#revision += 1;
    this.#idle.check();
  }
}
