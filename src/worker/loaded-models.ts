import { isRecord } from "../json/parse.ts";
import type { ModelInfo } from "../wire/model-info.ts";
import { isModelId } from "../wire/names.ts";
import { type ModelList, parseModelList } from "./model-list.ts";

// The places where model servers list the models in memory. Each form is taken from the server's source or documentation.

/** Models in memory or being loaded, by the backend's names; `all` on a server that cannot unload any. */
export type LoadedModels = readonly string[] | "all";

/** What a server says of its memory at one moment. */
export interface LoadedReading {
  readonly models: readonly string[];
  /** The words of a server that has some of its own for these models, such as `loading`; empty for others. */
  readonly words: ReadonlyMap<string, string>;
  /** When the first of these models will be unloaded if it is not used, in milliseconds since 1970. */
  readonly expiresAt?: number;
}

/** A cheap way to ask a server which models it has in memory. */
export interface LoadedSource {
  readonly url: string;
  /** Reads the answer, which is untrusted; undefined if it does not list the models in memory. */
  read(json: unknown): LoadedReading | undefined;
}

/** Ollama, whose list of running models has those that are being loaded too. */
export function ollamaSource(origin: string): LoadedSource {
  return { url: `${origin}/api/ps`, read: readOllama };
}

function readOllama(json: unknown): LoadedReading | undefined {
  const list = parseModelList(json);
  if (!list) return undefined;
  const ends = recordsIn(json, "models").flatMap(({ expires_at }) => {
    const at = typeof expires_at === "string" ? Date.parse(expires_at) : Number.NaN;
    return Number.isNaN(at) ? [] : [at];
  });
  return { models: list.models, words: NO_WORDS, ...(ends.length > 0 && { expiresAt: Math.min(...ends) }) };
}

/** llama-swap before its list of models had a status. A model that is stopping has to be loaded again. */
export function llamaSwapSource(origin: string): LoadedSource {
  return {
    url: `${origin}/running`,
    read(json) {
      if (!isRecord(json) || !Array.isArray(json["running"])) return undefined;
      const models: string[] = [];
      const words = new Map<string, string>();
      for (const { model, state } of recordsIn(json, "running")) {
        if (typeof model !== "string" || !isModelId(model)) continue;
        if (state === "ready" || state === "starting") models.push(model);
        if (state === "starting") words.set(model, "loading");
      }
      return { models, words };
    },
  };
}

/** LocalAI, which lists the models whose process runs. */
export function localAiSource(origin: string): LoadedSource {
  return {
    url: `${origin}/system`,
    read(json) {
      if (!isRecord(json) || !Array.isArray(json["loaded_models"])) return undefined;
      const models = recordsIn(json, "loaded_models").flatMap(({ id }) =>
        typeof id === "string" && isModelId(id) ? [id] : [],
      );
      return { models, words: NO_WORDS };
    },
  };
}

/** A server whose list of models has a status for each: llama.cpp as a router, llama-swap, LM Studio. */
export function listSource(url: string): LoadedSource {
  return {
    url,
    read(json) {
      const list = parseModelList(json);
      return list && readList(list);
    },
  };
}

/** Reads the statuses in a list of models; undefined if it has none that are about memory. */
export function readList({ info }: Pick<ModelList, "info">): LoadedReading | undefined {
  if (!info.some(({ status }) => KNOWN_WORDS.has(status ?? ""))) return undefined;
  const models: string[] = [];
  const words = new Map<string, string>();
  for (const { id, status } of info) {
    if (status === "loaded" || status === "loading") models.push(id);
    if (status) words.set(id, status);
  }
  return { models, words };
}

/** Words that say whether a model is in memory, so that a list which has one of them is about memory. */
const KNOWN_WORDS: ReadonlySet<string> = new Set(["loaded", "unloaded", "loading"]);

/** What a server has in memory, and where that can be asked again. */
export interface Memory {
  /** Undefined if it does not say. */
  readonly loaded: LoadedModels | undefined;
  /** Undefined if that does not change, or cannot be asked. */
  readonly loadedSource: LoadedSource | undefined;
}

/** The memory of a server that does not say which models it has loaded. */
export const UNKNOWN_MEMORY: Memory = { loaded: undefined, loadedSource: undefined };

/** The memory of a server that loads its models when it starts, and keeps them. */
export const FIXED_MEMORY: Memory = { loaded: "all", loadedSource: undefined };

/** Returns what a source says; a source without an answer is not asked again. */
export function memoryFrom(source: LoadedSource, reading: LoadedReading | undefined): Memory {
  return reading ? { loaded: reading.models, loadedSource: source } : UNKNOWN_MEMORY;
}

/** Returns what is known of a server after a new reading of its memory. */
export function withReading<T extends Memory & { readonly info: readonly ModelInfo[] }>(
  server: T,
  { models, words }: LoadedReading,
): T {
  const inMemory = new Set(models);
  const info = server.info.map((each) => {
    // A model of which no status was known has none now either.
    if (!each.status) return each;
    return { ...each, status: words.get(each.id) ?? (inMemory.has(each.id) ? "loaded" : "unloaded") };
  });
  return { ...server, loaded: models, info };
}

const NO_WORDS: ReadonlyMap<string, string> = new Map();

function recordsIn(json: unknown, name: string): readonly Readonly<Record<string, unknown>>[] {
  const value = isRecord(json) ? json[name] : undefined;
  return Array.isArray(value) ? value.filter(isRecord) : [];
}
