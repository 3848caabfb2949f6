import * as v from "valibot";
import { list, parsed } from "./kinds.ts";
import type { Kind } from "./setting.ts";

/** How much one token counts in the queue, by its kind. At least one weight is above 0. */
export interface QueueWeights {
  /** A token of the request that the backend computes. */
  readonly input: number;
  /** A token of the request that the backend takes from its cache. */
  readonly cached: number;
  /** A token of the answer. */
  readonly output: number;
}

/**
 * In a simulation of continuous batching, an output token took about as much of a graphics card as eight input tokens: with
 * these weights, callers with long prompts and callers with long answers got nearly equal shares of it.
 */
export const DEFAULT_QUEUE_WEIGHTS: QueueWeights = { input: 1, cached: 0.1, output: 8 };

const MAX_WEIGHT = 1000;
const PAIR = /^(input|cached|output)\s*=\s*(\d{1,4}(?:\.\d{1,6})?|\.\d{1,6})$/;

const pairs = list(parsed(parsePair), {
  placeholder: "name=number,…",
  accepts: `weights from 0 to ${MAX_WEIGHT} for input, cached and output, each at most once and not all 0`,
  hint: "such as input=1,cached=0.1,output=8; one that is left out keeps its default",
});

/** Weights as `name=number`. A weight that is left out keeps its default. */
export const queueWeights: Kind<QueueWeights> = {
  ...pairs,
  schema: v.pipe(
    pairs.schema,
    v.minLength(1),
    v.check((given) => new Set(given.map(([name]) => name)).size === given.length),
    v.transform((given): QueueWeights => ({ ...DEFAULT_QUEUE_WEIGHTS, ...Object.fromEntries(given) })),
    v.check(({ input, cached, output }) => input + cached + output > 0),
  ),
};

function parsePair(text: string): readonly [string, number] | undefined {
  const [, name, number] = PAIR.exec(text.toLowerCase()) ?? [];
  if (name === undefined || Number(number) > MAX_WEIGHT) return undefined;
  return [name, Number(number)];
}
