import { Counter, type Registry } from "prom-client";

/** A value with its labels, read at a scrape. */
export interface Reading {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface ReadCounterOptions {
  readonly name: string;
  readonly help: string;
  readonly labelNames: readonly string[];
  readonly registry: Registry;
}

/** A counter in the form that prom-client prints. */
type Scraped = Awaited<ReturnType<Counter<string>["get"]>>;

/** A prom-client counter whose owners keep the counts, and are asked for them at each scrape. */
export class ReadCounter extends Counter {
  readonly #options: ReadCounterOptions;
  readonly #readers: (() => Iterable<Reading>)[] = [];

  constructor(options: ReadCounterOptions) {
    const { name, help, labelNames, registry } = options;
    super({ name, help, labelNames: [...labelNames], registers: [registry] });
    this.#options = options;
  }

  /** Adds an owner. The values that it reads MUST NOT decrease while it reports their series. */
  add(read: () => Iterable<Reading>): void {
    this.#readers.push(read);
  }

  override get(): Promise<Scraped> {
    const { name, help } = this.#options;
    const values = this.#readers.flatMap((read) => [...read()]);
    // The library's types demand an enum and the parent's collector; its registry reads only the word.
    return Promise.resolve({ name, help, type: "counter", aggregator: "sum", values } as unknown as Scraped);
  }
}
