import { SlidingSum } from "../figures/sliding-sum.ts";

interface Figures {
  requests: number;
  readonly tokens: SlidingSum;
}

/** Models that are counted at once, before those long gone are looked for. */
const MAX_MODELS = 1000;

/** What each model has done, by its workers' name for it: clients' names would be without end. */
export class ModelFigures {
  readonly #figures = new Map<string, Figures>();
  /** Models that may be named now. */
  readonly #known: () => readonly string[];

  constructor(known: () => readonly string[]) {
    this.#known = known;
  }

  /** Counts a job that ended, and the tokens of its answer. `now` is `Clock.elapsed`. */
  count(model: string, outputTokens: number, now: number): void {
    const figures = this.#figures.get(model) ?? this.#add(model);
    figures.requests += 1;
    if (outputTokens > 0) figures.tokens.add(outputTokens, now);
  }

  requests(model: string): number {
    return this.#figures.get(model)?.requests ?? 0;
  }

  /** Output tokens a second, over the last minute. */
  tokensPerS(model: string, now: number): number {
    return this.#figures.get(model)?.tokens.rate(now) ?? 0;
  }

  #add(model: string): Figures {
    if (this.#figures.size >= MAX_MODELS) this.#forget();
    const figures = { requests: 0, tokens: new SlidingSum() };
    this.#figures.set(model, figures);
    return figures;
  }

  #forget(): void {
    const known = new Set(this.#known());
    for (const model of this.#figures.keys()) if (!known.has(model)) this.#figures.delete(model);
  }
}
