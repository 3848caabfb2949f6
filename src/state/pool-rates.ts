import type { Pulse } from "../plugin/reports.ts";

/** The seconds over which a rate is taken: long enough that a number can be read, short enough that it is of now. */
const SECONDS = 10;

/** The rate of output of each pool over the last seconds, from the counters of its pulses. */
export class PoolRates {
  /** The counters of the last seconds, the oldest first. */
  readonly #counters = new Map<string, number[]>();

  /** Takes over a pulse of a plugin, once a second, and returns its output tokens per second. */
  add(plugin: string, { tokens = 0 }: Pulse): number {
    let counters = this.#counters.get(plugin);
    // A counter that has fallen is that of a server that has restarted.
    if (!counters || tokens < (counters.at(-1) ?? 0)) {
      counters = [];
      this.#counters.set(plugin, counters);
    }
    counters.push(tokens);
    if (counters.length > SECONDS + 1) counters.shift();
    const seconds = counters.length - 1;
    return seconds === 0 ? 0 : (tokens - (counters[0] ?? tokens)) / seconds;
  }
}
