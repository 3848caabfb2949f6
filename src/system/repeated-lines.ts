import type { Clock, LogFields } from "./deps.ts";

/** How long events of one origin are summed up after a line about them. */
const WINDOW_MS = 10_000;

/** The most origins with lines of their own within a window. The events of all others share one line. */
const MAX_ORIGINS = 200;

/** Stands for the origins beyond that number. */
const OTHERS = "others";

interface Origin {
  /** Events since the last line. */
  count: number;
  fields: LogFields;
}

export interface RepeatedLinesOptions {
  readonly clock: Clock;
  /** Writes one line. `fields` are those of the latest event. */
  readonly write: (fields: LogFields) => void;
}

/**
 * Writes lines about events that anybody can cause without end. The first event of an origin is written at once; those of
 * the following 10 s become one line with their `count`. An attacker can therefore neither stay unnoticed nor flood the
 * log: it grows by at most 201 lines in 10 s.
 */
export class RepeatedLines {
  readonly #options: RepeatedLinesOptions;
  readonly #origins = new Map<string, Origin>();

  constructor(options: RepeatedLinesOptions) {
    this.#options = options;
  }

  /** Notes one event. `others` are the fields for a line about the events of many origins. */
  note(origin: string, fields: LogFields, others: LogFields): void {
    const key = this.#origins.has(origin) || this.#origins.size < MAX_ORIGINS ? origin : OTHERS;
    const shown = key === origin ? fields : others;
    const known = this.#origins.get(key);
    if (known) {
      known.count += 1;
      known.fields = shown;
      return;
    }
    this.#origins.set(key, { count: 0, fields: shown });
    this.#options.write({ ...shown, count: 1 });
    this.#wait(key);
  }

  #wait(key: string): void {
    this.#options.clock.after(WINDOW_MS, () => {
      const origin = this.#origins.get(key);
      if (!origin || origin.count === 0) return void this.#origins.delete(key);
      this.#options.write({ ...origin.fields, count: origin.count });
      origin.count = 0;
      this.#wait(key);
    });
  }
}
