/** How many jobs a worker takes at once, and why. */
export interface ChosenSlots {
  readonly slots: number;
  /** For people: `the model server says so`. */
  readonly reason: string;
}

/** What a backend says about how many jobs it works on at once. */
export interface StatedByBackend {
  readonly slots: number | undefined;
  /** Where that number is from, for people; absent if the backend states it. */
  readonly slotsFrom?: string | undefined;
  readonly family: string | undefined;
}

/** Jobs at once where neither the operator nor the backend says how many. */
const USUAL_SLOTS = 2;

/** The same for model servers that batch what comes, and so are fastest with many jobs at once. */
const BATCHING_SLOTS = 32;

/** What is known of model servers that do not say how many jobs they work on at once. */
const BY_FAMILY: Readonly<Record<string, ChosenSlots>> = {
  vllm: { slots: BATCHING_SLOTS, reason: "vLLM does not say how many it takes, and batches many" },
  sglang: { slots: BATCHING_SLOTS, reason: "SGLang does not say how many it takes, and batches many" },
  ollama: { slots: USUAL_SLOTS, reason: "Ollama does not say how many it takes (OLLAMA_NUM_PARALLEL)" },
  lmstudio: { slots: USUAL_SLOTS, reason: "LM Studio does not say how many it takes" },
  whispercpp: { slots: 1, reason: "whisper.cpp works on one recording at a time" },
};

/** Chooses how many jobs the worker takes at once while its backend is up: the operator's word counts, then the backend's. */
export function chooseSlots(
  { maxConcurrency }: { readonly maxConcurrency: number | undefined },
  { slots, slotsFrom, family }: StatedByBackend,
): ChosenSlots {
  if (maxConcurrency !== undefined)
    return { slots: maxConcurrency, reason: "--max-concurrency (MAX_CONCURRENCY) says so" };
  if (slots !== undefined) return { slots, reason: slotsFrom ?? "the model server says so" };
  const known = family !== undefined && Object.hasOwn(BY_FAMILY, family) ? BY_FAMILY[family] : undefined;
  return known ?? { slots: USUAL_SLOTS, reason: "the model server does not say how many it takes" };
}
