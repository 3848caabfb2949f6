import { isRecord } from "../json/parse.ts";
import type { ModelInfo } from "../wire/model-info.ts";
import { type AskOptions, ask, askText } from "./ask.ts";
import { sglangSlots, vllmSlots } from "./batching-slots.ts";
import { joinedInfo } from "./listed-info.ts";
import {
  FIXED_MEMORY,
  listSource,
  llamaSwapSource,
  localAiSource,
  type Memory,
  memoryFrom,
  ollamaSource,
  readList,
  UNKNOWN_MEMORY,
} from "./loaded-models.ts";
import { type ModelList, parseModelList } from "./model-list.ts";

/** Longest text that is kept of what a server says of itself. */
const MAX_FACT_CHARS = 64;

export interface IdentifyOptions extends AskOptions {
  /** The server as an earlier probe found it. */
  readonly before?:
    | {
        readonly family: string | undefined;
        readonly version: string | undefined;
        readonly models: readonly string[];
        readonly info: readonly ModelInfo[];
      }
    | undefined;
}

/** What a server is, and what it says beside its list. */
export interface Identity {
  readonly family: string | undefined;
  readonly version: string | undefined;
  readonly slots?: number | undefined;
  /** Where the number of slots is from, for people; undefined if the server states it. */
  readonly slotsFrom?: string | undefined;
  readonly info?: readonly ModelInfo[];
  readonly memory: Memory;
}

/**
 * Identifies a server, and asks what only a server of its family can say. The owner in its list decides what to ask. `base`
 * is where its list was found.
 */
export async function identify(
  origin: string,
  base: string,
  list: ModelList,
  server: string,
  options: IdentifyOptions,
): Promise<Identity> {
  const askJson = async (path: string): Promise<unknown> => {
    const answer = await ask(origin + path, options);
    return answer.kind === "answered" ? answer.json : undefined;
  };
  const listed = memoryFrom(listSource(`${base}/models`), readList(list));
  if (list.ownedBy === "llamacpp" || /llama\.cpp/i.test(server)) return identifyLlamaCpp(origin, list, listed, options);
  if (list.ownedBy === "vllm") {
    const version = toFact(await askJson("/version"), "version");
    const metrics = await askText(`${origin}/metrics`, options);
    const context = list.info[0]?.context_length ?? undefined;
    return { family: "vllm", version, memory: FIXED_MEMORY, ...vllmSlots(metrics ?? "", context) };
  }
  if (list.ownedBy === "sglang") {
    const slots = sglangSlots(await askJson("/get_server_info"));
    return { family: "sglang", version: undefined, memory: FIXED_MEMORY, ...slots };
  }
  if (list.ownedBy === "organization_owner") {
    const native = parseModelList(await askJson("/api/v0/models"));
    if (!native) return { family: undefined, version: undefined, memory: UNKNOWN_MEMORY };
    const memory = memoryFrom(listSource(`${origin}/api/v0/models`), readList(native));
    return { family: "lmstudio", version: undefined, info: joinedLists(list.info, native.info), memory };
  }
  if (list.ownedBy === "llama-swap") {
    const running = llamaSwapSource(origin);
    const memory = listed.loaded ? listed : memoryFrom(running, running.read(await askJson("/running")));
    return { family: "llama-swap", version: undefined, memory };
  }
  // Ollama names a model's namespace as its owner, mostly "library", so the server must be asked.
  const version = toFact(await askJson("/api/version"), "version");
  if (version !== undefined) return identifyOllama(origin, list, version, askJson);
  if (list.ownedBy !== undefined || listed.loaded)
    return { family: list.ownedBy?.slice(0, MAX_FACT_CHARS), version: undefined, memory: listed };
  // LocalAI names no owner.
  const system = localAiSource(origin);
  const memory = memoryFrom(system, system.read(await askJson("/system")));
  return { family: memory.loaded && "localai", version: undefined, memory };
}

async function identifyOllama(
  origin: string,
  list: ModelList,
  version: string,
  askJson: (path: string) => Promise<unknown>,
): Promise<Identity> {
  const [tags, ps] = [parseModelList(await askJson("/api/tags")), await askJson("/api/ps")];
  const source = ollamaSource(origin);
  const info = toOllamaInfo(list, tags?.info ?? [], parseModelList(ps));
  return { family: "ollama", version, info, memory: memoryFrom(source, source.read(ps)) };
}

/**
 * Asks llama.cpp for what its list does not say. The list calls every model one for completions, also where the server was
 * started for embeddings or reranking.
 */
async function identifyLlamaCpp(
  origin: string,
  list: ModelList,
  listed: Memory,
  options: IdentifyOptions,
): Promise<Identity> {
  const answer = await ask(`${origin}/props`, options);
  const props = answer.kind === "answered" ? answer.json : undefined;
  const version = toFact(props, "build_info");
  const slots = slotsIn(props);
  // A router has no slots of its own, and its models may be for different purposes.
  const type = slots === undefined ? undefined : await typeOfLlamaCpp(origin, list, version, options);
  const said = new Map(list.info.map((info) => [info.id, info]));
  const info = list.models.map((id): ModelInfo => ({ ...said.get(id), id, type }));
  return { family: "llamacpp", version, slots, info, memory: slots === undefined ? listed : memoryOf(props) };
}

/** The memory of a llama.cpp with one model, which it may unload while it is idle (`--sleep-idle-seconds`). */
function memoryOf(props: unknown): Memory {
  const isAsleep = isRecord(props) && props["is_sleeping"] === true;
  return isAsleep ? { loaded: [], loadedSource: undefined } : FIXED_MEMORY;
}

async function typeOfLlamaCpp(
  origin: string,
  list: ModelList,
  version: string | undefined,
  options: IdentifyOptions,
): Promise<string | undefined> {
  const { before } = options;
  const isKnown = before?.family === "llamacpp" && before.version === version && before.models[0] === list.models[0];
  if (isKnown) return before.info[0]?.type ?? undefined;
  if (await isSwitchedOn(`${origin}/v1/rerank`, options)) return "rerank";
  return (await isSwitchedOn(`${origin}/v1/embeddings`, options)) ? "embedding" : "chat";
}

/** Whether llama.cpp does what a route is for: it answers 501 there if not, and asks for the missing body if it does. */
async function isSwitchedOn(url: string, options: AskOptions): Promise<boolean> {
  const answer = await ask(url, options, "POST");
  return answer.kind === "answered" && answer.status === 400;
}

/** More slots than any llama.cpp has. */
const MAX_SLOTS = 10_000;

function slotsIn(props: unknown): number | undefined {
  const slots = isRecord(props) ? props["total_slots"] : undefined;
  return typeof slots === "number" && Number.isInteger(slots) && slots > 0 && slots <= MAX_SLOTS ? slots : undefined;
}

/** Joins what Ollama says of its models with what it says of those that are in memory, whose context it then knows. */
function toOllamaInfo(
  list: ModelList,
  tags: readonly ModelInfo[],
  running: ModelList | undefined,
): readonly ModelInfo[] {
  const loaded = new Set(running?.models);
  const states = running ? list.models.map((id) => ({ id, status: loaded.has(id) ? "loaded" : "unloaded" })) : [];
  return joinedLists(states, joinedLists(running?.info ?? [], tags));
}

function joinedLists(first: readonly ModelInfo[], second: readonly ModelInfo[]): readonly ModelInfo[] {
  const all = new Map(second.map((info) => [info.id, info]));
  for (const info of first) all.set(info.id, joinedInfo(info, all.get(info.id)) ?? info);
  return [...all.values()];
}

function toFact(json: unknown, field: string): string | undefined {
  const value = isRecord(json) && Object.hasOwn(json, field) ? json[field] : undefined;
  return typeof value === "string" ? value.slice(0, MAX_FACT_CHARS) : undefined;
}
