import type { Clock } from "../system/deps.ts";

/** The most names that are remembered, so that a model's `created` does not change. Past it the one unseen for longest goes. */
const MAX_REMEMBERED = 10_000;

interface Memory {
  readonly firstSeenAt: number;
  /** `Clock.elapsed` at which its last worker left; undefined while a worker is here. */
  leftAt: number | undefined;
}

/** The names (of models, of workers) that are known: present now, or gone for less than the grace period. */
export class Known {
  readonly #clock: Clock;
  readonly #graceMs: number;
  readonly #memories = new Map<string, Memory>();

  constructor(clock: Clock, graceMs: number) {
    this.#clock = clock;
    this.#graceMs = graceMs;
  }

  arrived(name: string): void {
    const firstSeenAt = this.#memories.get(name)?.firstSeenAt ?? this.#clock.now();
    this.#memories.delete(name); // Deleted and set again, so that the map is in the order in which names were last seen.
    this.#memories.set(name, { firstSeenAt, leftAt: undefined });
    this.#bound();
  }

  left(name: string): void {
    const memory = this.#memories.get(name);
    if (memory) memory.leftAt = this.#clock.elapsed();
  }

  has(name: string): boolean {
    const memory = this.#memories.get(name);
    return memory !== undefined && this.#isKnown(memory);
  }

  /** The time, in milliseconds since 1970, at which this server first saw a name; undefined for one that is not known. */
  firstSeenAt(name: string): number | undefined {
    const memory = this.#memories.get(name);
    return memory && this.#isKnown(memory) ? memory.firstSeenAt : undefined;
  }

  /** All known names, sorted. */
  names(): string[] {
    const known: string[] = [];
    for (const [name, memory] of this.#memories) if (this.#isKnown(memory)) known.push(name);
    return known.sort();
  }

  #isKnown(memory: Memory): boolean {
    return memory.leftAt === undefined || this.#clock.elapsed() - memory.leftAt < this.#graceMs;
  }

  #bound(): void {
    if (this.#memories.size <= MAX_REMEMBERED) return;
    for (const [name, memory] of this.#memories) {
      if (memory.leftAt === undefined) continue;
      this.#memories.delete(name);
      if (this.#memories.size <= MAX_REMEMBERED) return;
    }
  }
}
