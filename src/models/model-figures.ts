import { SlidingSum } from "../figures/sliding-sum.ts";

interface Figures {
  requests: number;
  readonly output: SlidingSum;
  readonly promptTokens: SlidingSum;
  readonly cachedTokens: SlidingSum;
}

/** The prompt of an answer that states how much of it came from a cache, in tokens. */
export interface Prompt {
  readonly tokens: number;
  readonly cached: number;
}

/** What an ended job adds to the figures of its model. */
export interface ModelWork {
  /** The output that the speed does not contain yet, in the unit of speed; below 0 if it contains too much. */
  readonly output: number;
  readonly prompt: Prompt | undefined;
}

/** How many models are counted before those that are no longer known are dropped. */
const MAX_MODELS = 1000;

/** The work of each model, under its workers' name for it. Clients can choose any number of names, so theirs are not counted. */
export class ModelFigures {
  readonly #figures = new Map<string, Figures>();
  /** Lists the models that a request may name now. */
  readonly #known: () => readonly string[];

  constructor(known: () => readonly string[]) {
    this.#known = known;
  }

  /** Counts a job that ended. `now` is `Clock.elapsed`. */
  count(model: string, { output, prompt }: ModelWork, now: number): void {
    const figures = this.#figures.get(model) ?? this.#add(model);
    figures.requests += 1;
    if (output !== 0) figures.output.add(output, now);
    if (!prompt) return;
    figures.promptTokens.add(prompt.tokens, now);
    figures.cachedTokens.add(prompt.cached, now);
  }

  /** Adds output of a job that still runs to the speed. */
  progress(model: string, output: number, now: number): void {
    (this.#figures.get(model) ?? this.#add(model)).output.add(output, now);
  }

  requests(model: string): number {
    return this.#figures.get(model)?.requests ?? 0;
  }

  /** Output per second over the last minute, in the unit of speed. */
  speed(model: string, now: number): number {
    return this.#figures.get(model)?.output.rate(now) ?? 0;
  }

  /** The part of the last minute's prompt tokens that came from caches, from 0 to 1; null where no answer stated it. */
  cachedShare(model: string, now: number): number | null {
    const figures = this.#figures.get(model);
    const tokens = figures?.promptTokens.sum(now) ?? 0;
    return figures && tokens > 0 ? figures.cachedTokens.sum(now) / tokens : null;
  }

  #add(model: string): Figures {
    if (this.#figures.size >= MAX_MODELS) this.#forget();
    const figures = {
      requests: 0,
      output: new SlidingSum(),
      promptTokens: new SlidingSum(),
      cachedTokens: new SlidingSum(),
    };
    this.#figures.set(model, figures);
    return figures;
  }

  #forget(): void {
    const known = new Set(this.#known());
    for (const model of this.#figures.keys()) if (!known.has(model)) this.#figures.delete(model);
  }
}
