import type { Clock } from "../system/deps.ts";
import { Known } from "./known.ts";
import type { Seat } from "./seat.ts";

const NONE: ReadonlySet<string> = new Set();

/** The models of each alias that some seat serves. */
export class AliasIndex {
  readonly #models = new Map<string, Set<string>>();
  readonly #known: Known;

  constructor(clock: Clock, graceMs: number) {
    this.#known = new Known(clock, graceMs);
  }

  /** Whether a model of the alias is served now or was served within the grace period. */
  isKnown(alias: string): boolean {
    return this.#known.has(alias);
  }

  modelsOf(alias: string | undefined): ReadonlySet<string> {
    return (alias === undefined ? undefined : this.#models.get(alias)) ?? NONE;
  }

  enter({ byAlias }: Seat): void {
    for (const [alias, names] of byAlias) {
      const all = this.#models.get(alias) ?? new Set();
      this.#models.set(alias, all);
      for (const name of names) all.add(name);
      this.#known.arrived(alias);
    }
  }

  /** Removes a seat's models that no other seat serves. */
  leave({ byAlias }: Seat, isServed: (model: string) => boolean): void {
    for (const [alias, names] of byAlias) {
      const all = this.#models.get(alias);
      for (const name of names) if (!isServed(name)) all?.delete(name);
      if (all?.size !== 0) continue;
      this.#models.delete(alias);
      this.#known.left(alias);
    }
  }
}
