import type { ModelInfo } from "../wire/model-info.ts";
import { type Answer, type AskOptions, ask, type Silence } from "./ask.ts";
import { type IdentifyOptions, identify } from "./identify.ts";
import type { Memory } from "./loaded-models.ts";
import { type ModelList, parseModelList } from "./model-list.ts";
import type { PathMap } from "./route.ts";

/** A model server that was found and can serve jobs. */
export interface FoundBackend extends Memory {
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
  /** Where that number is from, for people; absent if the backend states it. */
  readonly slotsFrom?: string | undefined;
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
  /** The server as an earlier probe found it, which need not be asked again for what does not change. */
  readonly before?: FoundBackend | undefined;
}

/** Asks the server at `base` whether it serves the jobs of a kind, and with which models. Never rejects. */
export type Prober = (base: string, options: ProbeOptions) => Promise<Probe>;

/**
 * Asks the server at `base` for its models and its identity. With `task`, models listed for another task are left out. Never
 * rejects. The server's answers are untrusted.
 */
export async function probeBackend(base: string, options: IdentifyOptions, task?: string): Promise<Probe> {
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
  options: IdentifyOptions,
): Promise<Probe> {
  const { memory, ...known } = await identify(origin, base, list, server, options);
  const backend = { base, models: list.models, info: list.info, slots: undefined, listsModels: true, paths: undefined };
  return { kind: "found", backend: { ...backend, ...known, ...memory } };
}
