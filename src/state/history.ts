/** One second of the server, over all plugins, in the State API. */
export interface Sample {
  /** Milliseconds since 1970: the end of the second. */
  readonly at: number;
  readonly workers_idle: number;
  readonly workers_working: number;
  readonly workers_not_ready: number;
  readonly workers_draining: number;
  readonly slots_used: number;
  readonly slots_total: number;
  /** Requests that wait for a slot. */
  readonly waiting: number;
  /** Requests that ended within the second. */
  readonly requests: number;
  /** Failures within the second that were not the client's fault. */
  readonly failures: number;
  /** Output tokens of answers. Those of a stream are told from its bytes while it runs, and corrected at its end. */
  readonly tokens: number;
  /** Prompt tokens of the answers that state how many of them came from a cache, counted when the answer ends. */
  readonly prompt_tokens: number;
  /** Those of `prompt_tokens` that came from a cache. */
  readonly cached_tokens: number;
  /** Bytes of answers that passed within the second. */
  readonly bytes: number;
  /** Time from a request's acceptance to its answer's first byte, over the last minute; null where no answer began. */
  readonly first_byte_p50_ms: number | null;
  readonly first_byte_p95_ms: number | null;
}

export type Column = keyof Sample;

/** Every column, in the order of `Sample`. */
export const COLUMNS = [
  "at",
  "workers_idle",
  "workers_working",
  "workers_not_ready",
  "workers_draining",
  "slots_used",
  "slots_total",
  "waiting",
  "requests",
  "failures",
  "tokens",
  "prompt_tokens",
  "cached_tokens",
  "bytes",
  "first_byte_p50_ms",
  "first_byte_p95_ms",
] as const satisfies readonly Column[];

/** How often a sample is taken. */
export const INTERVAL_MS = 1000;

/** Number of samples kept: a quarter of an hour, in 115 KB. */
export const CAPACITY = 900;

/** The history in the State API: a column for each field of `Sample`, all of the same length, oldest first. */
export interface HistoryState {
  readonly interval_ms: number;
  readonly capacity: number;
  readonly samples: Readonly<Record<Column, readonly (number | null)[]>>;
}

/** The last samples, in a ring buffer for each column. */
export class History {
  readonly #rings = new Map<Column, Float64Array>(COLUMNS.map((column) => [column, new Float64Array(CAPACITY)]));
  #next = 0;
  #size = 0;

  add(sample: Sample): void {
    // NaN stands for null: the rings hold numbers only.
    for (const [column, ring] of this.#rings) ring[this.#next] = sample[column] ?? Number.NaN;
    this.#next = (this.#next + 1) % CAPACITY;
    this.#size = Math.min(this.#size + 1, CAPACITY);
  }

  /** Puts samples, oldest first, before those that are there. Only as many as there is space for are kept, the newest ones. */
  addBefore(older: readonly Sample[]): void {
    const all = [...older, ...this.samples()].slice(-CAPACITY);
    this.#next = 0;
    this.#size = 0;
    for (const sample of all) this.add(sample);
  }

  /** The sum of a column over the newest samples. */
  sum(column: Column, samples: number): number {
    const ring = this.#rings.get(column);
    let total = 0;
    for (let back = 1; ring && back <= Math.min(samples, this.#size); back += 1) {
      total += ring[(this.#next - back + CAPACITY) % CAPACITY] ?? 0;
    }
    return total;
  }

  snapshot(): HistoryState {
    return stateOf((column) => this.#column(column));
  }

  /** Returns the samples one by one, oldest first. */
  samples(): readonly Sample[] {
    const columns = COLUMNS.map((column) => [column, this.#column(column)] as const);
    return Array.from({ length: this.#size }, (_, at) => {
      // COLUMNS has every column of a sample, as its type says.
      return Object.fromEntries(columns.map(([name, values]) => [name, values[at] ?? null])) as unknown as Sample;
    });
  }

  #column(column: Column): (number | null)[] {
    const ring = this.#rings.get(column);
    const oldest = (this.#next - this.#size + CAPACITY) % CAPACITY;
    return Array.from({ length: this.#size }, (_, at) => {
      const value = ring?.[(oldest + at) % CAPACITY] ?? Number.NaN;
      return Number.isNaN(value) ? null : value;
    });
  }
}

/** Turns samples, oldest first, into columns. */
export function toHistoryState(samples: readonly Sample[]): HistoryState {
  return stateOf((column) => samples.map((sample) => sample[column]));
}

function stateOf(valuesOf: (column: Column) => readonly (number | null)[]): HistoryState {
  const samples = Object.fromEntries(COLUMNS.map((column) => [column, valuesOf(column)]));
  // COLUMNS has every column, as the type says.
  return { interval_ms: INTERVAL_MS, capacity: CAPACITY, samples: samples as HistoryState["samples"] };
}
