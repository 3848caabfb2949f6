/** How a unit of usage is shown. */
interface UnitRule {
  /** Its field in the log line `job.ended`; absent for a unit that only totals have. */
  readonly logField?: string;
  /** The Prometheus counter that adds it up, with the labels that distinguish it. Several units may share a counter. */
  readonly counter: {
    readonly name: string;
    readonly help: string;
    readonly labels: Readonly<Record<string, string>>;
  };
}

const tokens = (direction: string): UnitRule["counter"] => ({
  name: "moorage_tokens_total",
  help: "Tokens as reported in answers, and estimates of those that no answer reported.",
  labels: { direction },
});

const estimated = (direction: string): UnitRule["counter"] => ({
  name: "moorage_estimated_tokens_total",
  help: "The part of moorage_tokens_total that is an estimate.",
  labels: { direction },
});

/** Every unit that the server counts. A plugin whose answers state another one adds its row here. */
export const UNITS = {
  /** Tokens of the request, cached ones included. */
  input_tokens: { logField: "input_tokens", counter: tokens("input") },
  /** The input tokens that the backend took from its cache. Their counter is another one, because they are input as well. */
  cached_tokens: {
    logField: "cached_tokens",
    counter: {
      name: "moorage_cached_tokens_total",
      help: "The part of the input tokens that came from a cache, as reported in answers.",
      labels: {},
    },
  },
  output_tokens: { logField: "output_tokens", counter: tokens("output") },
  audio_seconds: {
    logField: "audio_s",
    counter: {
      name: "moorage_audio_seconds_total",
      help: "Seconds of audio as reported in answers.",
      labels: {},
    },
  },
  /** The part of the tokens that is an estimate. */
  estimated_input_tokens: { counter: estimated("input") },
  estimated_output_tokens: { counter: estimated("output") },
} as const satisfies Readonly<Record<string, UnitRule>>;

export type Unit = keyof typeof UNITS;

/** The units with their rules, in the order in which they are shown. */
export const UNIT_RULES: readonly (readonly [Unit, UnitRule])[] = Object.entries(UNITS) as [Unit, UnitRule][]; // the keys of a literal, which Object.entries types as strings

/**
 * The usage that an answer reported for its job, by unit. A unit that it did not report is missing or undefined. A plain
 * object, because one is made for every small request and a map costs several times as much.
 */
export type Usage = Readonly<Partial<Record<Unit, number>>>;

/** The unit whose amount per second is the speed of a model or worker. */
export const SPEED_UNIT: Unit = "output_tokens";

/** Returns a usage as it is added to totals. An estimate is added to those of estimates as well. */
export function toTotals(usage: Usage | undefined, isEstimated: boolean): Usage | undefined {
  if (!usage || !isEstimated) return usage;
  return {
    ...usage,
    estimated_input_tokens: usage.input_tokens,
    estimated_output_tokens: usage.output_tokens,
  };
}
