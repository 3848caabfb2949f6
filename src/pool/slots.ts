import type { Clock } from "../system/deps.ts";
import { type ClaimOwner, type ClaimParts, type HeldClaim, SeatClaim } from "./claim.ts";
import type { Directory } from "./directory.ts";
import type { Queue } from "./queue.ts";
import type { OpenSeat, QueuePolicy } from "./queue-policy.ts";
import { type HealthEvent, HealthWatch } from "./routing/health-watch.ts";
import { stayMs } from "./routing/residence.ts";
import type { Choice } from "./routing/route-policy.ts";
import type { Seat, SeatModel, Work } from "./seat.ts";
import type { JobTicket, Ticket } from "./ticket.ts";

export interface SlotsOptions {
  readonly clock: Clock;
  readonly directory: Directory;
  readonly policy: QueuePolicy;
  readonly queue: Queue;
  /** Called after each change. */
  readonly onChange: () => void;
  readonly onHealth: (event: HealthEvent) => void;
}

/**
 * How long a worker that has refused a job gets no other one, unless one of its jobs ends or its offer changes before. Its
 * count of free slots is out of date by about as much as the news from another server takes.
 */
export const REST_MS = 250;

/**
 * The slots of a pool: counts each one that a job takes or gives back, learns from the job how its worker is doing, and
 * gives slots that become free to jobs that wait.
 */
export class Slots {
  readonly health: HealthWatch;
  readonly #options: SlotsOptions;
  #busy = 0;
  readonly #owner: ClaimOwner = {
    onReleased: (parts, work) => this.#onReleased(parts, work),
    onAssigned: ({ to, ticket }, before) => {
      const { clock, policy } = this.#options;
      const now = clock.elapsed();
      policy.begin(ticket, to.seat, now);
      policy.end(before, undefined, now);
    },
    onRefused: (parts) => this.#onRefused(parts),
    onCounted: ({ to }, work) => this.#onCounted(to, work),
    onJudged: ({ to, ticket, startedAt }, verdict) => {
      if (verdict.model === "worked") this.#stay(to);
      this.health.judge(to, verdict, { caller: ticket.caller.name, startedAt });
    },
    onProgress: ({ to }, output) => to.seat.progress(output, this.#options.clock.elapsed()),
  };

  constructor(options: SlotsOptions) {
    this.#options = options;
    const { clock, directory, onHealth } = options;
    this.health = new HealthWatch(clock, {
      seatOf: (workerId) => directory.seatOf(workerId),
      hasOther: (served) => directory.hasOther(served),
      onChange: (seat) => this.#onHealth(seat),
      onEvent: onHealth,
    });
  }

  /** Slots held over all workers. */
  get busy(): number {
    return this.#busy;
  }

  /** Takes a slot for a job. `now` is `Clock.elapsed`. */
  hold(choice: Choice, ticket: JobTicket, now: number): HeldClaim {
    const { directory, policy, onChange } = this.#options;
    const { to } = choice;
    const { isLoaded } = to;
    to.seat.busy += 1;
    to.running += 1;
    this.#busy += 1;
    const probed = this.health.begin(to);
    directory.rank(to.seat);
    onChange();
    ticket.wasAccepted = true;
    policy.begin(ticket, to.seat, now);
    return new SeatClaim(choice, { ticket, startedAt: now, probed, isLoaded }, this.#owner);
  }

  /** Ends the rest of a seat whose worker has refused a job. */
  endRest(seat: Seat): void {
    seat.stopRest?.();
    seat.stopRest = undefined;
  }

  /** Gives a seat's free slots to jobs that wait, as the policy orders them. Returns how many it gave. */
  serve(seat: Seat): number {
    const { clock, directory, policy, queue } = this.#options;
    let given = 0;
    if (queue.isEmpty) return given;
    const open: OpenSeat = {
      lines: seat.lines,
      serves: ({ demand }) => directory.serves(seat, demand) !== undefined,
      warmth: ({ demand }) => directory.warmth(seat, demand),
    };
    while (!queue.isEmpty && seat.hasRoom) {
      const now = clock.elapsed();
      const ticket = policy.next(open, now);
      const choice = ticket && directory.admit(seat, ticket.demand);
      const waiting = choice && queue.take(ticket);
      if (!waiting) return given;
      given += 1;
      waiting.onGranted(this.hold(choice, waiting.ticket, now));
    }
    return given;
  }

  /** Serves free slots to jobs that wait, starting with those for which this one waits. */
  wake(ticket: Ticket): void {
    const { directory, queue } = this.#options;
    while (queue.has(ticket)) {
      const choice = directory.choose(ticket.demand);
      if (!choice || this.serve(choice.to.seat) === 0) return;
    }
  }

  /**
   * Offers free slots of all seats for these models to jobs that wait. A job may wait beside a free slot for a better worker,
   * which has left or is out now, or because background jobs held too many slots.
   */
  serveOthers(models: readonly string[]): void {
    const { directory, queue } = this.#options;
    for (const model of models) {
      if (queue.isEmpty) return;
      for (const seat of directory.othersFor(model)) this.serve(seat);
    }
  }

  #onReleased(parts: ClaimParts, work: Work | undefined): void {
    const { clock, directory, policy } = this.#options;
    const { seat } = parts.to;
    this.#giveBack(parts);
    this.endRest(seat);
    const isHere = directory.seatFor(seat.session) === seat;
    if (isHere) directory.rank(seat);
    policy.end(parts.ticket, work, clock.elapsed());
    if (isHere) this.serve(seat);
    this.#options.onChange();
  }

  /** The worker of a seat had no slot after all. The seat rests, so that it is not asked again for each job that waits. */
  #onRefused(parts: ClaimParts): void {
    const { clock, directory, policy } = this.#options;
    const { seat } = parts.to;
    this.#giveBack(parts);
    if (directory.seatFor(seat.session) === seat) {
      this.endRest(seat);
      seat.stopRest = clock.after(REST_MS, () => {
        this.endRest(seat);
        directory.rank(seat);
        this.serve(seat);
      });
      directory.rank(seat);
    }
    policy.end(parts.ticket, undefined, clock.elapsed());
    this.#options.onChange();
  }

  #giveBack({ to, probed }: ClaimParts): void {
    to.seat.busy -= 1;
    to.running -= 1;
    this.#busy -= 1;
    this.health.end(probed);
  }

  #onCounted(to: SeatModel, work: Work): void {
    const { clock, directory } = this.#options;
    const now = clock.elapsed();
    to.seat.count(work, now);
    directory.learnSpeed(to, work, now);
  }

  /** Notes that a worker has served a model, which is therefore in its memory, although the worker said otherwise. */
  #stay(to: SeatModel): void {
    if (!to.isToldCold) return;
    to.endStay();
    to.stopStay = this.#options.clock.after(stayMs(to.seat.session.offer), () => {
      to.endStay();
      if (this.#options.directory.seatFor(to.seat.session) === to.seat) this.#options.directory.rank(to.seat);
    });
  }

  /** A worker has gone out or may be back. */
  #onHealth(seat: Seat): void {
    const { directory, onChange } = this.#options;
    if (directory.seatFor(seat.session) !== seat) return;
    directory.rank(seat);
    onChange();
    this.serve(seat);
    this.serveOthers(seat.models);
  }
}
