import type { HistoryState, Sample } from "../../src/state/history.ts";

/** The samples of the last minutes, one per second. The plots are drawn from them. */
export class History {
  readonly #capacity: number;
  #samples: Sample[] = [];

  /** `capacity` is in samples. */
  constructor(capacity = 900) {
    this.#capacity = capacity;
  }

  get samples(): readonly Sample[] {
    return this.#samples;
  }

  /** Takes the samples that the server has kept. */
  load({ samples }: HistoryState): void {
    const newest = this.#samples;
    this.#samples = samples.at.map((_, index) => sampleAt(samples, index));
    for (const sample of newest) this.add(sample);
  }

  /** Forgets all samples, because the next ones are those of another server. */
  clear(): void {
    this.#samples = [];
  }

  /** Adds a newer sample and ignores a known one. Seconds without a sample were like the one before, without events. */
  add(sample: Sample): void {
    const last = this.#samples.at(-1);
    if (last && sample.at <= last.at) return;
    for (let at = last ? last.at + 1000 : sample.at; last && at < sample.at - 500; at += 1000) {
      if (sample.at - at > this.#capacity * 1000) continue;
      this.#samples.push({ ...last, at, ...NO_EVENTS });
    }
    this.#samples.push(sample);
    if (this.#samples.length > this.#capacity) this.#samples = this.#samples.slice(-this.#capacity);
  }
}

/** What a second without a sample adds to the counts. */
const NO_EVENTS = { requests: 0, failures: 0, tokens: 0, prompt_tokens: 0, cached_tokens: 0, bytes: 0 };

function sampleAt(columns: HistoryState["samples"], index: number): Sample {
  const entries = Object.entries(columns).map(([name, values]) => [name, values[index] ?? null]);
  return Object.fromEntries(entries) as unknown as Sample; // columns are named as a sample's fields
}

/** Averages a field over the last `seconds`, per second. */
export function perSecond(samples: readonly Sample[], field: keyof typeof NO_EVENTS, seconds: number): number {
  return sumOf(samples, field, seconds) / seconds;
}

/** Adds up a field over the last `seconds`. */
export function sumOf(samples: readonly Sample[], field: keyof typeof NO_EVENTS, seconds: number): number {
  const last = samples.at(-1);
  if (!last) return 0;
  let sum = 0;
  for (let index = samples.length - 1; index >= 0; index -= 1) {
    const sample = samples[index];
    if (!sample || last.at - sample.at >= seconds * 1000) break;
    sum += sample[field];
  }
  return sum;
}
