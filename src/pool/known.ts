import type { Clock } from "../system/deps.ts";

/** Models whose first sight is remembered, so that `created` stays put; the longest unseen are forgotten first. */
const MAX_REMEMBERED = 10_000;

interface Memory {
  readonly firstSeenAt: number;
  /** `Clock.elapsed` of when its last worker left; undefined while one is here. */
  leftAt: number | undefined;
}

/** Which names (models, workers) are known: those here now, and those that left less than the grace period ago. */
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
    this.#memories.delete(name); // Set anew, so that the map's order is the order of being seen.
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

  /** Milliseconds since 1970 at which a known name was first seen. */
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
