import { errorCode } from "./backend.ts";
import { type ModelList, parseModelList } from "./model-list.ts";

/** A model server that has answered with a list of models. */
export interface FoundBackend {
  /** Base URL without a trailing slash, under which `/chat/completions` lives. */
  readonly base: string;
  /** `ollama`, `llamacpp`, `vllm`, `lmstudio`, or what signs the models; undefined when nothing tells. */
  readonly family: string | undefined;
  readonly version: string | undefined;
  readonly models: readonly string[];
}

export type Probe =
  | { readonly kind: "found"; readonly backend: FoundBackend }
  /** It answered, but not with a list of models. */
  | { readonly kind: "no_list"; readonly base: string; readonly reason: string }
  /** `isBusy`: there was a connection but no answer in time, which a server that computes may do. */
  | { readonly kind: "silent"; readonly base: string; readonly reason: string; readonly isBusy: boolean };

export interface ProbeOptions {
  readonly key: string | undefined;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** The largest answer that is read: thousands of models fit, a runaway file does not. */
const MAX_ANSWER_BYTES = 1024 * 1024;
const MAX_FACT_CHARS = 64;

/** Asks the server at `base` for its models, and who it is. Never throws; what it says is untrusted. */
export async function probeBackend(base: string, options: ProbeOptions): Promise<Probe> {
  const origin = new URL(base).origin;
  let first: Answer | undefined;
  for (const candidate of toCandidates(base)) {
    const answer = await askJson(`${candidate}/models`, options);
    if (answer.kind === "silent") return { kind: "silent", base, reason: answer.reason, isBusy: answer.isBusy };
    first ??= answer;
    const list = answer.kind === "json" ? parseModelList(answer.json) : undefined;
    if (list) return found(candidate, origin, list, answer, options);
  }
  // Old Ollama servers have no list in OpenAI's form.
  const tags = await askJson(`${origin}/api/tags`, options);
  const list = tags.kind === "json" ? parseModelList(tags.json) : undefined;
  if (list) return found(base === origin ? `${origin}/v1` : base, origin, list, tags, options);
  const reason =
    first?.kind === "refused" ? `answers ${first.status}` : "answers with something that is no list of models";
  return { kind: "no_list", base, reason: `${reason} at ${base}/models` };
}

/** People leave `/v1` out; llama.cpp does not mind, the others serve nothing without it. */
function toCandidates(base: string): readonly string[] {
  return new URL(base).pathname === "/" ? [`${base}/v1`, base] : [base];
}

async function found(
  base: string,
  origin: string,
  list: ModelList,
  answer: Answer,
  options: ProbeOptions,
): Promise<Probe> {
  const identity = await identify(origin, list, answer.server, options);
  return { kind: "found", backend: { base, models: list.models, ...identity } };
}

interface Identity {
  readonly family: string | undefined;
  readonly version: string | undefined;
}

/** Who signs the list decides what else is asked, so that at most one more request is made. */
async function identify(origin: string, list: ModelList, server: string, options: ProbeOptions): Promise<Identity> {
  const ask = async (path: string, field: string): Promise<string | undefined> =>
    toFact((await askJson(origin + path, options)).json, field);
  if (list.ownedBy === "llamacpp" || /llama\.cpp/i.test(server)) {
    return { family: "llamacpp", version: await ask("/props", "build_info") };
  }
  if (list.ownedBy === "vllm") return { family: "vllm", version: await ask("/version", "version") };
  if (list.ownedBy === "organization_owner") {
    const native = parseModelList((await askJson(`${origin}/api/v0/models`, options)).json);
    return { family: native ? "lmstudio" : undefined, version: undefined };
  }
  // Ollama signs with the namespace of a model, mostly "library", so it has to be asked.
  const version = await ask("/api/version", "version");
  if (version !== undefined) return { family: "ollama", version };
  return { family: list.ownedBy?.slice(0, MAX_FACT_CHARS), version: undefined };
}

function toFact(json: unknown, field: string): string | undefined {
  if (typeof json !== "object" || json === null) return undefined;
  const value = Object.entries(json).find(([name]) => name === field)?.[1];
  return typeof value === "string" ? value.slice(0, MAX_FACT_CHARS) : undefined;
}

type Answer =
  | { readonly kind: "json"; readonly json: unknown; readonly server: string }
  | { readonly kind: "refused"; readonly status: number; readonly json: undefined; readonly server: string }
  | {
      readonly kind: "silent";
      readonly reason: string;
      readonly isBusy: boolean;
      readonly json: undefined;
      readonly server: string;
    };

async function askJson(url: string, { key, timeoutMs, signal }: ProbeOptions): Promise<Answer> {
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  try {
    const response = await fetch(url, {
      headers: { accept: "application/json", ...(key === undefined ? {} : { authorization: `Bearer ${key}` }) },
      redirect: "manual",
      signal: deadline,
    });
    const server = response.headers.get("server") ?? "";
    const text = await readText(response);
    if (response.status !== 200) return { kind: "refused", status: response.status, json: undefined, server };
    return { kind: "json", json: toJson(text), server };
  } catch (error) {
    const code = errorCode(error);
    const isBusy = code === "TimeoutError";
    const reason = isBusy ? `no answer within ${timeoutMs} ms` : code;
    return { kind: "silent", reason, isBusy, json: undefined, server: "" };
  }
}

/** At most `MAX_ANSWER_BYTES` of it; more than that is not JSON any more when cut, which is all that matters here. */
async function readText(response: Response): Promise<string> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of response.body ?? []) {
    pieces.push(piece);
    bytes += piece.length;
    if (bytes > MAX_ANSWER_BYTES) break;
  }
  return Buffer.concat(pieces).subarray(0, MAX_ANSWER_BYTES).toString();
}

function toJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // Not a list of models, then.
  }
}
