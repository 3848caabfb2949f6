import type { CancelTimer, Clock } from "../../system/deps.ts";
import type { Seat, SeatModel } from "../seat.ts";
import { type Ejection, Health, type HealthChange, PROBE_MS } from "./health.ts";
import type { Verdict } from "./verdict.ts";
import { WorkerMemory } from "./worker-memory.ts";

/** A worker, or one model on it, goes out, stays out for longer, or comes back. */
export interface HealthEvent {
  readonly change: HealthChange;
  readonly worker: { readonly id: string; readonly name: string };
  /** The model that it is about; undefined for all models of the worker. */
  readonly model: string | undefined;
  /** The ejection that begins, goes on or has ended. */
  readonly ejection: Ejection;
}

/** The part of the pool that the watch needs. */
export interface HealthHost {
  /** Finds the seat that a worker has now. */
  seatOf(workerId: string): Seat | undefined;
  /** Whether any other seat takes jobs for the model, of a caller whom this one serves. */
  hasOther(served: SeatModel): boolean;
  /** Called when a seat may get more or fewer jobs than before: it has to be ranked again, and may serve jobs that wait. */
  onChange(seat: Seat): void;
  readonly onEvent: (event: HealthEvent) => void;
}

/** The health of a worker, or of one model on it, and the seat that it belongs to. */
interface Watched {
  readonly health: Health;
  readonly seat: Seat;
  readonly model: string | undefined;
  readonly mayEject: () => boolean;
}

/** The job of an attempt, as far as its end is judged by it. */
export interface JudgedJob {
  readonly caller: string;
  /** `Clock.elapsed` at which the worker got the job. */
  readonly startedAt: number;
}

/**
 * How recently a worker must have served another caller for the failures of a single one to be taken for that caller's own
 * fault: many model servers answer a request that they cannot serve with a status of 500.
 */
const OTHERS_SERVED_MS = 10_000;

/**
 * Watches the health of a pool's workers: it counts the outcome of each attempt, lets a worker try again when its time out is
 * over, and remembers workers that leave, so that none escapes its ejection by reconnecting.
 */
export class HealthWatch {
  readonly #clock: Clock;
  readonly #host: HealthHost;
  readonly #kept: WorkerMemory;
  /** The timer of each ejection, until the worker may show that it is back, and then of the job that is to show it. */
  readonly #timers = new Map<Health, CancelTimer>();

  constructor(clock: Clock, host: HealthHost) {
    this.#clock = clock;
    this.#host = host;
    this.#kept = new WorkerMemory(clock);
  }

  /** Gives a new seat what is known of its worker; `before` is the seat that it replaces. */
  enter(seat: Seat, before: Seat | undefined): void {
    const now = this.#clock.elapsed();
    if (before) this.#kept.keep(before);
    this.#kept.restore(seat);
    for (const health of healthsOf(seat)) {
      health.reconnected(now);
      health.elapse(now);
      if (health.isSuspended && health.ejection) this.#wakeAt(health, seat.session.worker.id, health.ejection.until);
    }
  }

  leave(seat: Seat): void {
    this.#kept.keep(seat);
  }

  /** Takes in how the attempt of a job ended. */
  judge(served: SeatModel, { link, model, reason = "unknown" }: Verdict, job: JudgedJob): void {
    if (link) this.#judge(served.seat.health, link, job, reason, () => this.#ofWorker(served.seat, reason));
    if (!model) return;
    if (model === "worked") served.lastServed.note(job.caller, this.#clock.elapsed());
    this.#judge(served.health, model, job, reason, () => this.#ofModel(served, job.caller));
  }

  /** Notes that a job has begun. Returns the healths of which it is the probe: those whose ejection it may end. */
  begin({ health, seat }: SeatModel): readonly Health[] {
    if (!health && !seat.health) return NONE;
    const now = this.#clock.elapsed();
    const probed = [health, seat.health].filter((each) => each?.probe(now)).filter((each) => each !== undefined);
    for (const each of probed) this.#wakeAt(each, seat.session.worker.id, now + PROBE_MS);
    return probed;
  }

  /** Notes that a job has ended; `probed` is what `begin` returned for it. */
  end(probed: readonly Health[]): void {
    for (const health of probed) if (health.endProbe()) this.#cancelTimer(health);
  }

  #judge(
    known: Health | undefined,
    outcome: "worked" | "failed",
    { caller, startedAt }: JudgedJob,
    reason: string,
    find: () => Watched | undefined,
  ): void {
    // Nearly all workers have never failed, so nothing is kept for them.
    if (!known && outcome === "worked") return;
    const watched = find();
    if (!watched) return;
    const { health, seat, model } = watched;
    const now = this.#clock.elapsed();
    const before = health.ejection;
    const change =
      outcome === "worked"
        ? health.worked(startedAt, now)
        : health.failed({ reason, startedAt, caller }, now, watched.mayEject());
    if (!this.#host.seatOf(seat.session.worker.id)) this.#kept.keep(seat);
    const ejection = health.ejection ?? before;
    if (!change || !ejection) return;
    this.#cancelTimer(health);
    if (change !== "restored") this.#wakeAt(health, seat.session.worker.id, ejection.until);
    this.#host.onEvent({ change, worker: seat.session.worker, model, ejection });
    this.#host.onChange(seat);
  }

  #ofWorker(from: Seat, reason: string): Watched | undefined {
    if (reason === "lost") {
      if (from.isLossCounted) return undefined;
      from.isLossCounted = true;
    }
    const seat = this.#seatNow(from);
    const health = seat.health ?? new Health();
    seat.health = health;
    const mayEject = (): boolean => [...seat.byModel.values()].some((served) => this.#host.hasOther(served));
    return { health, seat, model: undefined, mayEject };
  }

  #ofModel(from: SeatModel, caller: string): Watched {
    const { model } = from;
    const seat = this.#seatNow(from.seat);
    const served = seat.byModel.get(model) ?? from;
    const health = served.health ?? new Health();
    served.health = health;
    const mayEject = (): boolean => this.#host.hasOther(served) && !this.#isCallersFault(served, health, caller);
    return { health, seat, model, mayEject };
  }

  /** Whether a model has failed a single caller and served another one a moment ago, so that the caller is the probable cause. */
  #isCallersFault({ lastServed }: SeatModel, health: Health, caller: string): boolean {
    const only = health.onlyCallerWith(caller);
    return only !== undefined && this.#clock.elapsed() - lastServed.otherThan(only) < OTHERS_SERVED_MS;
  }

  /** Finds the seat that the worker of a job has now: it may have reconnected since the job began. */
  #seatNow(from: Seat): Seat {
    return this.#host.seatOf(from.session.worker.id) ?? from;
  }

  #wakeAt(health: Health, workerId: string, until: number): void {
    this.#cancelTimer(health);
    const ms = Math.max(0, until - this.#clock.elapsed());
    this.#timers.set(
      health,
      this.#clock.after(ms, () => {
        const now = this.#clock.elapsed();
        // Bun's timers may fire a fraction of a millisecond early.
        if (now < until) return this.#wakeAt(health, workerId, until);
        this.#timers.delete(health);
        health.elapse(now);
        const seat = this.#host.seatOf(workerId);
        if (seat) this.#host.onChange(seat);
      }),
    );
  }

  #cancelTimer(health: Health): void {
    this.#timers.get(health)?.();
    this.#timers.delete(health);
  }
}

const NONE: readonly Health[] = [];

function healthsOf(seat: Seat): readonly Health[] {
  return [seat.health, ...Array.from(seat.byModel.values(), ({ health }) => health)].filter(
    (each) => each !== undefined,
  );
}
