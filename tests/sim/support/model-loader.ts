import type { Clock } from "../../../src/system/deps.ts";

/** The memory of a machine that keeps a few models loaded and loads another one in place of the least recently used. */
export class ModelLoader {
  readonly #keeps: number;
  readonly #loadMs: number;
  readonly #clock: Clock;
  /** The loaded models, least recently used first. */
  readonly #loaded = new Set<string>();
  #readyAt = 0;
  /** The number of times a model was loaded. */
  loads = 0;

  constructor(keeps: number, loadMs: number, clock: Clock) {
    this.#keeps = keeps;
    this.#loadMs = loadMs;
    this.#clock = clock;
  }

  get loaded(): readonly string[] {
    return [...this.#loaded];
  }

  /** Notes a use of a model, loads it if necessary, and returns the milliseconds until it can compute. Loads take turns. */
  use(model: string): number {
    const now = this.#clock.elapsed();
    this.#readyAt = Math.max(now, this.#readyAt);
    if (!this.#loaded.delete(model)) {
      this.loads += 1;
      this.#readyAt += this.#loadMs;
    }
    this.#loaded.add(model);
    for (const oldest of this.#loaded) {
      if (this.#loaded.size <= this.#keeps) break;
      this.#loaded.delete(oldest);
    }
    return this.#readyAt - now;
  }
}
