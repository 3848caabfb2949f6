import type { Clock } from "../../system/deps.ts";
import type { IdFact, IdFacts } from "./id-facts.ts";

/** How long the owner of an id is remembered on all servers after its worker has left. */
export const KEEP_OWNERS_MS = 10 * 60_000;
/** The most ids that are remembered for one server. The earliest are forgotten first. */
const MAX_LEFT = 10_000;

interface Left {
  readonly fact: IdFact;
  /** `Clock.elapsed`. */
  readonly leftAt: number;
}

/** The owners of the ids of workers that have left one server, for one plugin, in the order in which they left. */
export class LeftIds {
  readonly #clock: Clock;
  readonly #ids: IdFacts;
  readonly #left = new Map<string, Left>();

  constructor(clock: Clock, ids: IdFacts) {
    this.#clock = clock;
    this.#ids = ids;
  }

  get size(): number {
    return this.#left.size;
  }

  /** Remembers an owner. `ageMs`: how long ago the worker left. */
  add({ server, id, owner, was, since }: Omit<IdFact, "session" | "at" | "isLeaving">, ageMs = 0): void {
    this.remove(id);
    const fact = { server, id, owner, was, since, session: undefined, at: since, isLeaving: false };
    this.#ids.add(fact);
    this.#left.set(id, { fact, leftAt: this.#clock.elapsed() - ageMs });
    this.prune();
  }

  remove(id: string): void {
    const left = this.#left.get(id);
    if (!left) return;
    this.#ids.remove(left.fact);
    this.#left.delete(id);
  }

  clear(): void {
    for (const id of [...this.#left.keys()]) this.remove(id);
  }

  /** Forgets owners that are too old, and the oldest ones of too many. */
  prune(): void {
    const now = this.#clock.elapsed();
    for (const [id, { leftAt }] of this.#left) {
      if (this.#left.size <= MAX_LEFT && now - leftAt < KEEP_OWNERS_MS) return;
      this.remove(id);
    }
  }

  /** Lists what is remembered, with the time since each worker left. */
  *all(): Iterable<{ readonly fact: IdFact; readonly ageMs: number }> {
    const now = this.#clock.elapsed();
    for (const { fact, leftAt } of this.#left.values()) yield { fact, ageMs: now - leftAt };
  }
}
