import { Fault } from "../errors.ts";
import type { Clock } from "../system/deps.ts";
import { Idle } from "../system/idle.ts";
import type { Session, SessionHost } from "../tunnel/session.ts";
import { CLOSES } from "../wire/closes.ts";
import { type Demand, Directory } from "./directory.ts";
import { JobsRegistry } from "./jobs-registry.ts";
import { laneOf, lanesOf } from "./lines.ts";
import { Queue, type Ticket } from "./queue.ts";
import type { Seat } from "./seat.ts";

/** One slot of a worker, held. */
export interface Claim {
  readonly seat: Seat;
  /** The id under which the worker serves the model: the asked one, or its stand-in. */
  readonly model: string;
  /** Gives the slot back. Every call after the first does nothing. */
  release(): void;
}

export interface PoolOptions {
  readonly clock: Clock;
  readonly queueSize: number;
  readonly queueTimeoutMs: number;
  readonly modelGraceMs: number;
  /** For so long after its making an unknown model may be one whose workers are on their way back; 0 unless given. */
  readonly startGraceMs?: number;
  /** Tells this server from others, as the beginning of its job ids. */
  readonly serverId: string;
  /** Tells the pools of one server apart. */
  readonly name: string;
}

/** A wait for a slot, as its job holds it. */
export interface Wait {
  /** 1 is next. */
  position(): number;
  leave(): void;
}

/** Seconds after which a refused client should come back: soon, since slots free at any moment. */
const RETRY_AFTER_S = 2;

/**
 * The sessions of one plugin and the jobs that wait for them. Claims are synchronous: between choosing a worker and
 * counting its slot nothing else can run, so a worker never holds more than it declared.
 */
export class Pool implements SessionHost {
  /** Those under way. */
  readonly jobs: JobsRegistry;
  readonly #options: PoolOptions;
  readonly #directory: Directory;
  readonly #queue: Queue<Demand, Claim>;
  #ticketNumber = 0;
  #refusal: (() => Fault) | undefined;
  #revision = 0;
  #busyTotal = 0;
  readonly #idle = new Idle(() => this.#busyTotal === 0 && this.#queue.length === 0);
  readonly #startedAt: number;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#startedAt = options.clock.elapsed();
    this.jobs = new JobsRegistry(options.serverId, options.name, options.clock);
    this.#directory = new Directory(options.clock, options.modelGraceMs);
    this.#queue = new Queue(options.queueSize, (expire) => options.clock.after(options.queueTimeoutMs, expire));
  }

  /** Grows with every change that a snapshot would show. */
  get revision(): number {
    return this.#revision;
  }

  get queueLength(): number {
    return this.#queue.length;
  }

  get queueCapacity(): number {
    return this.#options.queueSize;
  }

  /** Slots held over all workers. */
  get busyTotal(): number {
    return this.#busyTotal;
  }

  seats(): Iterable<Seat> {
    return this.#directory.seats();
  }

  seatOf(workerId: string): Seat | undefined {
    return this.#directory.seatOf(workerId);
  }

  /** Models that a request may name: served now, or until a grace period ago. Sorted. */
  knownModels(): string[] {
    return this.#directory.knownModels();
  }

  /** Milliseconds since 1970; undefined for a model that is not known. */
  firstSeenAt(model: string): number | undefined {
    return this.#directory.firstSeenAt(model);
  }

  workersOf(model: string): number {
    return this.#directory.workersOf(model);
  }

  /** Takes a new session in. One of the same worker that is still here gives way. */
  onOpened(session: Session): void {
    const before = this.#directory.seatOf(session.worker.id);
    const seat = this.#directory.add(session);
    this.#revision += 1;
    before?.session.close(CLOSES.replaced);
    this.#serve(seat);
  }

  onOfferChange(session: Session): void {
    const seat = this.#directory.seatFor(session);
    if (!seat) return;
    const before = seat.models;
    this.#directory.update(seat);
    this.#revision += 1;
    this.#serve(seat);
    this.#serveStandIns(before);
  }

  onClosed(session: Session): void {
    const seat = this.#directory.seatFor(session);
    if (!seat) return;
    this.#directory.remove(seat);
    this.#revision += 1;
    this.#serveStandIns(seat.models);
  }

  /**
   * Takes a worker out of service, or puts it back: a drained one gets no more jobs, and those it has go on. It lasts as
   * long as the worker's session. False for a worker that is not here.
   */
  setDrained(workerId: string, isDrained: boolean): boolean {
    const seat = this.#directory.seatOf(workerId);
    if (!seat) return false;
    if (seat.isDrained === isDrained) return true;
    seat.isDrained = isDrained;
    this.onOfferChange(seat.session);
    return true;
  }

  /** A slot at once, or undefined. Throws a fault for a model or worker that is not known at all. */
  claim(demand: Demand): Claim | undefined {
    const choice = this.#directory.choose(demand);
    if (choice) return this.#hold(choice.seat, choice.model);
    // Whoever got a slot named something known; only the others are asked.
    this.#assertKnown(demand);
    return undefined;
  }

  /** Whether `claim` would give a slot now. */
  hasRoomFor(demand: Demand): boolean {
    return this.#directory.choose(demand) !== undefined;
  }

  /** A number for a job's ticket, kept for all its waits. */
  nextTicketNumber(): number {
    this.#ticketNumber += 1;
    return this.#ticketNumber;
  }

  /**
   * Waits for a slot. Throws `queue_full` when the queue takes no more; `expired` gets the fault of the deadline.
   * A job that lost its worker was accepted long ago and is never turned away: jobs in flight bound how many those are.
   */
  wait(demand: Demand, ticketNumber: number, granted: (claim: Claim) => void, expired: (fault: Fault) => void): Wait {
    if (this.#refusal) throw this.#refusal();
    if (this.#queue.isFull && demand.excluded.size === 0) throw this.#fullFault(demand);
    const lane = laneOf(demand);
    const ticket: Ticket<Demand, Claim> = {
      number: ticketNumber,
      demand,
      grant: granted,
      expire: () => {
        this.#revision += 1;
        this.#idle.check();
        expired(this.#timeoutFault(demand));
      },
      refuse: () => expired(this.#refusal?.() ?? this.#timeoutFault(demand)),
    };
    const leave = this.#queue.join(lane, ticket);
    this.#revision += 1;
    return {
      position: () => this.#queue.position(lane, ticket),
      leave: () => {
        this.#revision += 1;
        leave();
        this.#idle.check();
      },
    };
  }

  /** From now on nobody waits: those who do, and those who would, get this fault. */
  refuseWaiting(fault: () => Fault): void {
    this.#refusal = fault;
    this.#revision += 1;
    const refused = this.#queue.clear();
    this.#idle.check();
    for (const ticket of refused) ticket.refuse();
  }

  /** Whether any worker but the excluded ones might still take this job, now or later. */
  hasOther(demand: Demand): boolean {
    return this.#directory.isServed(demand, false);
  }

  /** Whether a worker takes such jobs, busy or not. */
  isServed(demand: Demand): boolean {
    return this.#directory.isServed(demand, true);
  }

  /** Says that a seat's totals changed. */
  touch(): void {
    this.#revision += 1;
  }

  /** Resolves when no slot is held and no job waits. */
  idle(): Promise<void> {
    return this.#idle.wait();
  }

  #hold(seat: Seat, model: string): Claim {
    seat.busy += 1;
    this.#busyTotal += 1;
    this.#directory.rank(seat);
    this.#revision += 1;
    let held = true; // The end of the job, a lost session and the confirm timer may all release.
    return {
      seat,
      model,
      release: () => {
        if (!held) return;
        held = false;
        seat.busy -= 1;
        this.#busyTotal -= 1;
        this.#revision += 1;
        if (this.#directory.seatFor(seat.session) === seat) {
          this.#directory.rank(seat);
          this.#serve(seat);
        }
        this.#idle.check();
      },
    };
  }

  /** Hands a seat's free slots to those who wait for one of its models, oldest first. */
  #serve(seat: Seat): void {
    while (this.#queue.length > 0 && seat.hasRoom) {
      const next = this.#nextFor(seat);
      if (!next) return;
      this.#queue.take(laneOf(next.ticket.demand), next.ticket);
      next.ticket.grant(this.#hold(seat, next.model));
    }
  }

  #nextFor(seat: Seat): { readonly ticket: Ticket<Demand, Claim>; readonly model: string } | undefined {
    const fits = (demand: Demand): boolean =>
      !demand.excluded.has(seat.session) && this.#directory.modelOn(seat, demand) !== undefined;
    let oldest: Ticket<Demand, Claim> | undefined;
    for (const lane of lanesOf(seat)) {
      const ticket = this.#queue.first(lane, fits);
      if (ticket && (!oldest || ticket.number < oldest.number)) oldest = ticket;
    }
    const model = oldest && this.#directory.modelOn(seat, oldest.demand);
    return oldest && model !== undefined ? { ticket: oldest, model } : undefined;
  }

  /** Exact workers have gone: those who waited for them may now have a stand-in. */
  #serveStandIns(models: readonly string[]): void {
    for (const model of models) {
      if (this.#queue.length === 0) return;
      for (const seat of this.#directory.standInsFor(model)) this.#serve(seat);
    }
  }

  #assertKnown(demand: Demand): void {
    const { model, workerId } = demand;
    const isWorkerMissing = workerId !== undefined && !this.#directory.isKnownWorker(workerId);
    if (!isWorkerMissing && this.#directory.isKnownModel(demand)) return;
    if (this.#options.clock.elapsed() - this.#startedAt < (this.#options.startGraceMs ?? 0)) throw justStarted(demand);
    if (isWorkerMissing) throw new Fault("worker_not_found", { param: "worker_id" });
    const message = notFoundText(model, this.knownModels(), [...this.#directory.seats()].length);
    throw new Fault("model_not_found", { message, param: "model" });
  }

  #fullFault(demand: Demand): Fault {
    if (this.#options.queueSize === 0 && !this.#directory.isServed(demand, true)) return this.#unavailableFault(demand);
    return new Fault("queue_full", { retryAfterS: RETRY_AFTER_S });
  }

  #timeoutFault(demand: Demand): Fault {
    return this.#directory.isServed(demand, true)
      ? new Fault("queue_timeout", { retryAfterS: RETRY_AFTER_S })
      : this.#unavailableFault(demand);
  }

  #unavailableFault(demand: Demand): Fault {
    const who =
      demand.workerId === undefined
        ? "no worker for it is ready now"
        : `worker ${quote(demand.workerId)} is not ready for it now`;
    return new Fault("no_worker_available", {
      message: `The model ${quote(demand.model)} is known, but ${who}. Try again shortly.`,
      retryAfterS: 5,
    });
  }
}

/** A 404 would make clients give up on a model whose workers are only dialling again. */
function justStarted({ model, workerId }: Demand): Fault {
  const what = workerId === undefined ? `the model ${quote(model)}` : `worker ${quote(workerId)}`;
  return new Fault("no_worker_available", {
    message: `This server has just started, and ${what} is not connected yet. Try again shortly.`,
    retryAfterS: RETRY_AFTER_S,
  });
}

/** Model ids named in a message at most: enough to see a typing error, not a catalogue. */
const LISTED_MODELS = 20;

/** A pool is one of several, and its models are not all that the server lists: another route may serve this one. */
function notFoundText(model: string, known: readonly string[], workers: number): string {
  const start = `The model ${quote(model)} is not served on this route`;
  if (workers === 0 && known.length === 0) return `${start}: no worker for it is connected.`;
  if (known.length === 0) {
    const offer =
      workers === 1
        ? "the one worker connected for it offers no model now"
        : `none of the ${workers} workers connected for it offers a model now`;
    return `${start}: ${offer}. The state page, /state, has the reason.`;
  }
  const listed = known.slice(0, LISTED_MODELS).map(quote).join(", ");
  const more = known.length > LISTED_MODELS ? ` and ${known.length - LISTED_MODELS} more` : "";
  return `${start}. Models that are: ${listed}${more}.`;
}

function quote(text: string): string {
  return `'${text.slice(0, 128)}'`;
}
