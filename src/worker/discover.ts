import { isRecord } from "../json/parse.ts";
import type { ModelInfo } from "../wire/model-info.ts";
import { type Answer, type AskOptions, ask, type Silence } from "./ask.ts";
import { joinedInfo } from "./listed-info.ts";
import { type ModelList, parseModelList } from "./model-list.ts";
import type { PathMap } from "./route.ts";

/** A model server that was found and can serve jobs. */
export interface FoundBackend {
  /** Base URL without a trailing slash, under which `/chat/completions` lives. */
  readonly base: string;
  /** `ollama`, `llamacpp`, `vllm`, `lmstudio`, `whispercpp`, or the owner of its models; undefined when unknown. */
  readonly family: string | undefined;
  readonly version: string | undefined;
  readonly models: readonly string[];
  /** What it says of its models, for those of which it says anything. */
  readonly info: readonly ModelInfo[];
  /** Jobs that it works on at once; undefined if it does not say. */
  readonly slots: number | undefined;
  /** False for a server without a list: `models` is then a default name, which the operator may replace. */
  readonly listsModels: boolean;
  /** URLs of jobs on a server with paths of its own; undefined: jobs go to their paths under `base`. */
  readonly paths: PathMap | undefined;
}

export type Probe =
  | { readonly kind: "found"; readonly backend: FoundBackend }
  | NoList
  | (Silence & { readonly base: string });

/** A server that answered, but not with a list of models. */
export interface NoList {
  readonly kind: "no_list";
  readonly base: string;
  readonly reason: string;
  /** Its header `server`, or empty. */
  readonly server: string;
}

export interface ProbeOptions extends AskOptions {
  /** Whether the address is a guess, so that the server must show that it serves such jobs. */
  readonly isGuess: boolean;
}

/** Asks the server at `base` whether it serves the jobs of a kind, and with which models. Never rejects. */
export type Prober = (base: string, options: ProbeOptions) => Promise<Probe>;

const MAX_FACT_CHARS = 64;
/** More slots than any llama.cpp has. */
const MAX_SLOTS = 10_000;

/**
 * Asks the server at `base` for its models and its identity. With `task`, models listed for another task are left out. Never
 * rejects. The server's answers are untrusted.
 */
export async function probeBackend(base: string, options: AskOptions, task?: string): Promise<Probe> {
  const origin = new URL(base).origin;
  let first: Exclude<Answer, Silence> | undefined;
  for (const candidate of toCandidates(base)) {
    const answer = await ask(`${candidate}/models`, options);
    if (answer.kind === "silent") return { ...answer, base };
    first ??= answer;
    const list = parseModelList(answer.json, task);
    if (list) return found(candidate, origin, list, answer.server, options);
  }
  // Old Ollama servers have no list in OpenAI's format.
  const tags = await ask(`${origin}/api/tags`, options);
  if (tags.kind === "answered") {
    const list = parseModelList(tags.json, task);
    if (list) return found(base === origin ? `${origin}/v1` : base, origin, list, tags.server, options);
  }
  const said = first && first.status !== 200 ? `answers ${first.status}` : "does not answer with a list of models";
  return { kind: "no_list", base, reason: `${said} at ${base}/models`, server: first?.server ?? "" };
}

/** Returns the bases to try: people leave out `/v1`, without which only llama.cpp serves anything. */
function toCandidates(base: string): readonly string[] {
  return new URL(base).pathname === "/" ? [`${base}/v1`, base] : [base];
}

async function found(
  base: string,
  origin: string,
  list: ModelList,
  server: string,
  options: AskOptions,
): Promise<Probe> {
  const identity = await identify(origin, list, server, options);
  const backend = { base, models: list.models, info: list.info, slots: undefined, listsModels: true, paths: undefined };
  return { kind: "found", backend: { ...backend, ...identity } };
}

interface Identity {
  readonly family: string | undefined;
  readonly version: string | undefined;
  readonly slots?: number | undefined;
  readonly info?: readonly ModelInfo[];
}

/** Identifies a server, and asks what only a server of its family can say. The owner in its list decides what to ask. */
async function identify(origin: string, list: ModelList, server: string, options: AskOptions): Promise<Identity> {
  const askJson = async (path: string): Promise<unknown> => {
    const answer = await ask(origin + path, options);
    return answer.kind === "answered" ? answer.json : undefined;
  };
  if (list.ownedBy === "llamacpp" || /llama\.cpp/i.test(server)) return toLlamaCpp(list, await askJson("/props"));
  if (list.ownedBy === "vllm") return { family: "vllm", version: toFact(await askJson("/version"), "version") };
  if (list.ownedBy === "organization_owner") {
    const native = parseModelList(await askJson("/api/v0/models"));
    if (!native) return { family: undefined, version: undefined };
    return { family: "lmstudio", version: undefined, info: joinedLists(list.info, native.info) };
  }
  // Ollama names a model's namespace as its owner, mostly "library", so the server must be asked.
  const version = toFact(await askJson("/api/version"), "version");
  if (version === undefined) return { family: list.ownedBy?.slice(0, MAX_FACT_CHARS), version: undefined };
  const [tags, running] = [parseModelList(await askJson("/api/tags")), parseModelList(await askJson("/api/ps"))];
  return { family: "ollama", version, info: toOllamaInfo(list, tags?.info ?? [], running) };
}

function toLlamaCpp(list: ModelList, props: unknown): Identity {
  const slots = isRecord(props) ? props["total_slots"] : undefined;
  return {
    family: "llamacpp",
    version: toFact(props, "build_info"),
    slots: Number.isInteger(slots) && Number(slots) > 0 && Number(slots) <= MAX_SLOTS ? Number(slots) : undefined,
    info: list.info,
  };
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
