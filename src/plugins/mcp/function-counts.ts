/** Names counted for one relay. There is a limit, because callers choose the names. */
const MAX_NAMES = 64;
const MAX_NAME_CHARS = 128;
/** Calls that the median is taken of: enough to distinguish a slow function from a slow call. */
const RECENT_CALLS = 32;
/** The name under which all further functions are counted together. */
const OTHER = "other";

/** The counts of one function. Times are in milliseconds, from the call to the end of its answer. */
export interface FunctionCount {
  readonly name: string;
  calls: number;
  failures: number;
  /** Calls that succeeded. */
  successes: number;
  lastMs: number | undefined;
  /** Sum of the times of the calls in `timed`. */
  totalMs: number;
  /** Calls that ended by themselves. */
  timed: number;
  readonly recentMs: number[];
}

/** How a call of a function ended. The time of a canceled call says nothing about the function. */
export interface FunctionCall {
  readonly outcome: "completed" | "failed" | "canceled";
  readonly durationMs: number;
}

/**
 * Counts the calls of one relay's functions, by name. Callers can name functions that do not exist, and calls of those fail:
 * where there is no room for another name, it takes that of the one without a success that was called least recently.
 */
export class FunctionCounts {
  /** The named functions, those without a success in the order of their last call. */
  readonly #counts = new Map<string, FunctionCount>();
  /** The count of all others; undefined before the first. */
  #other: FunctionCount | undefined;

  *all(): Generator<FunctionCount, void> {
    yield* this.#counts.values();
    if (this.#other) yield this.#other;
  }

  add(name: string, { outcome, durationMs }: FunctionCall): void {
    const count = this.#countOf(toShown(name));
    count.calls += 1;
    if (outcome === "failed") count.failures += 1;
    if (outcome === "canceled") return;
    if (outcome === "completed") count.successes += 1;
    count.recentMs[count.timed % RECENT_CALLS] = durationMs;
    count.timed += 1;
    count.totalMs += durationMs;
    count.lastMs = durationMs;
  }

  #countOf(name: string): FunctionCount {
    const known = this.#counts.get(name);
    if (known) {
      if (known.successes === 0) {
        this.#counts.delete(name);
        this.#counts.set(name, known);
      }
      return known;
    }
    if (name === OTHER || (this.#counts.size >= MAX_NAMES && !this.#makeRoom())) {
      this.#other ??= emptyCount(OTHER);
      return this.#other;
    }
    const count = emptyCount(name);
    this.#counts.set(name, count);
    return count;
  }

  /** Moves the counts of a function that has never succeeded to the others. Returns false if each has. */
  #makeRoom(): boolean {
    for (const [name, count] of this.#counts) {
      if (count.successes > 0) continue;
      this.#counts.delete(name);
      this.#other ??= emptyCount(OTHER);
      this.#other.calls += count.calls;
      this.#other.failures += count.failures;
      return true;
    }
    return false;
  }
}

function emptyCount(name: string): FunctionCount {
  return { name, calls: 0, failures: 0, successes: 0, lastMs: undefined, totalMs: 0, timed: 0, recentMs: [] };
}

/** Returns the median duration of the last calls; undefined before the first. */
export function medianMs({ recentMs }: FunctionCount): number | undefined {
  return recentMs.toSorted((a, b) => a - b)[Math.floor(recentMs.length / 2)];
}

/** Makes a name safe to show: without characters that control a terminal or reverse the line's direction. */
function toShown(name: string): string {
  const shown = name.slice(0, MAX_NAME_CHARS).replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, "");
  return shown === "" ? OTHER : shown;
}
