import type { Clock } from "../../system/deps.ts";
import type { Seat } from "../seat.ts";
import type { Health } from "./health.ts";
import type { Speed } from "./speed.ts";

/** What is known of one model on a worker. */
interface KeptModel {
  readonly health: Health | undefined;
  readonly speed: Speed | undefined;
}

interface Kept {
  readonly health: Health | undefined;
  readonly models: ReadonlyMap<string, KeptModel>;
  readonly leftAt: number;
}

/** How long a worker that has left is remembered: twice its longest time out. */
const KEEP_MS = 10 * 60_000;
/** The most workers that are remembered. Beyond that, the one that left first is forgotten. */
const MAX_KEPT = 5000;

/** The health and the measured speeds of workers that have left, by their ids. */
export class WorkerMemory {
  readonly #clock: Clock;
  /** In the order in which they left. */
  readonly #kept = new Map<string, Kept>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Remembers a worker that leaves, if there is anything to remember. */
  keep(seat: Seat): void {
    const { id } = seat.session.worker;
    const models = new Map<string, KeptModel>();
    for (const { model, health, speed } of seat.byModel.values())
      if (health?.isWorthKeeping || speed) models.set(model, { health, speed });
    this.#kept.delete(id);
    if (!seat.health && models.size === 0) return;
    this.#kept.set(id, { health: seat.health, models, leftAt: this.#clock.elapsed() });
    this.#bound();
  }

  /** Gives a seat what is remembered of its worker, and forgets it here. */
  restore(seat: Seat): void {
    const { id } = seat.session.worker;
    const kept = this.#kept.get(id);
    this.#kept.delete(id);
    if (!kept || this.#clock.elapsed() - kept.leftAt >= KEEP_MS) return;
    seat.health = kept.health;
    for (const served of seat.byModel.values()) {
      const known = kept.models.get(served.model);
      served.health = known?.health;
      served.speed = known?.speed;
    }
  }

  #bound(): void {
    const now = this.#clock.elapsed();
    for (const [id, { leftAt }] of this.#kept) {
      if (this.#kept.size <= MAX_KEPT && now - leftAt < KEEP_MS) return;
      this.#kept.delete(id);
    }
  }
}
