import { isRecord } from "../json/parse.ts";
import { type Answer, type AskOptions, ask, type Silence } from "./ask.ts";
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
  return { kind: "found", backend: { base, models: list.models, listsModels: true, paths: undefined, ...identity } };
}

interface Identity {
  readonly family: string | undefined;
  readonly version: string | undefined;
}

/** Identifies a server. The owner in its list decides what else to ask, so at most one more request is made. */
async function identify(origin: string, list: ModelList, server: string, options: AskOptions): Promise<Identity> {
  const askJson = async (path: string): Promise<unknown> => {
    const answer = await ask(origin + path, options);
    return answer.kind === "answered" ? answer.json : undefined;
  };
  const askFact = async (path: string, field: string): Promise<string | undefined> =>
    toFact(await askJson(path), field);
  if (list.ownedBy === "llamacpp" || /llama\.cpp/i.test(server)) {
    return { family: "llamacpp", version: await askFact("/props", "build_info") };
  }
  if (list.ownedBy === "vllm") return { family: "vllm", version: await askFact("/version", "version") };
  if (list.ownedBy === "organization_owner") {
    const native = parseModelList(await askJson("/api/v0/models"));
    return { family: native ? "lmstudio" : undefined, version: undefined };
  }
  // Ollama names a model's namespace as its owner, mostly "library", so the server must be asked.
  const version = await askFact("/api/version", "version");
  if (version !== undefined) return { family: "ollama", version };
  return { family: list.ownedBy?.slice(0, MAX_FACT_CHARS), version: undefined };
}

function toFact(json: unknown, field: string): string | undefined {
  const value = isRecord(json) && Object.hasOwn(json, field) ? json[field] : undefined;
  return typeof value === "string" ? value.slice(0, MAX_FACT_CHARS) : undefined;
}
