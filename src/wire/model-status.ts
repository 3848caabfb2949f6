import type { ModelInfo } from "./model-info.ts";

/** What a worker says of one of its models. */
export interface ModelStatus {
  /** `loaded`, `unloaded` or a word of its backend's own; undefined if it does not say. */
  readonly word: string | undefined;
  /** Whether a request need not wait until the model begins to load; undefined if the worker does not say. */
  readonly isLoaded: boolean | undefined;
}

/** The part of a worker's offer that says something of its models. */
interface SaidOfModels {
  readonly loaded?: readonly string[];
  readonly modelInfo?: readonly ModelInfo[];
}

const UNKNOWN: ModelStatus = { word: undefined, isLoaded: undefined };
const LOADED: ModelStatus = { word: "loaded", isLoaded: true };
const UNLOADED: ModelStatus = { word: "unloaded", isLoaded: false };

/**
 * Returns a function that finds the status of a model in this offer. The list of loaded models counts more than the status
 * of each, because it is told more often; a word of the backend's own, such as `loading`, is kept beside it.
 */
export function statusesIn({ loaded, modelInfo = [] }: SaidOfModels): (model: string) => ModelStatus {
  const words = new Map<string, string>();
  for (const { id, status } of modelInfo) if (status) words.set(id, status);
  if (loaded === undefined) return (model) => toStatus(words.get(model));
  const inMemory = new Set(loaded);
  return (model) => {
    const usual = inMemory.has(model) ? LOADED : UNLOADED;
    const word = words.get(model);
    return word === undefined || USUAL_WORDS.has(word) ? usual : { ...usual, word };
  };
}

const USUAL_WORDS: ReadonlySet<string> = new Set(["loaded", "unloaded"]);

function toStatus(word: string | undefined): ModelStatus {
  if (word === undefined) return UNKNOWN;
  if (word === "unloaded") return UNLOADED;
  // The backend's own words differ, so the others say nothing of memory.
  return { word, isLoaded: word === "loaded" || word === "loading" ? true : undefined };
}
