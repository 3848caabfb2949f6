import * as v from "valibot";
import { isRecord, parseJson } from "../json/parse.ts";
import { cleanText } from "./clean-text.ts";
import { CLOSES, type Close, closeWith } from "./closes.ts";

/**
 * What workers say in JSON text: the first message, and control messages after it. Both dialects share them.
 * Every length is bounded, and text that people will read loses its control characters: all of it is untrusted.
 */

/** Longest model id taken; the dashboard shows ids of 300 characters, OpenAI's fine-tune ids stay below 100. */
const MAX_MODEL_CHARS = 512;
const MAX_MODELS = 2048;
const MAX_CONCURRENCY = 100_000;
/** Largest batch a worker may ask for: OpenAI takes 2,048 inputs in one request. */
const MAX_EMBEDDING_BATCH = 2048;

const shortText = v.pipe(v.string(), v.maxLength(512), v.transform(cleanText));
const modelId = v.pipe(
  v.string(),
  v.minLength(1),
  v.maxLength(MAX_MODEL_CHARS),
  v.check(isClean, "holds control characters"),
);
const models = v.pipe(
  v.array(modelId),
  v.maxLength(MAX_MODELS),
  v.transform((ids) => [...new Set(ids)]),
);
/** Not `.` and `..`, which URLs take for something else. */
const workerId = v.pipe(
  v.string(),
  v.regex(/^(?!\.{1,2}$)[A-Za-z0-9._:@-]{1,128}$/, "takes 1 to 128 of A-Z a-z 0-9 . _ : @ -"),
);
const count = (max: number) => v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(max));
const percent = v.pipe(v.number(), v.minValue(0), v.maxValue(100));
const agentConfig = v.pipe(
  v.record(v.string(), v.unknown()),
  // Facts about the host, as text; anything else in it is not ours to judge.
  v.transform((entries) => toHostInfo(entries)),
);

const registerSchema = v.object({
  type: v.literal("register"),
  client_key: v.nullish(v.pipe(v.string(), v.maxLength(4096))),
  worker_id: v.nullish(v.union([v.literal(""), workerId])),
  worker_name: v.nullish(shortText),
  models: v.nullish(models),
  max_concurrency: v.nullish(count(MAX_CONCURRENCY)),
  embedding_batch_size: v.nullish(count(MAX_EMBEDDING_BATCH)),
  version: v.nullish(shortText),
  build_sha: v.nullish(shortText),
  build_date: v.nullish(shortText),
  agent_config: v.nullish(agentConfig),
});
export type Register = v.InferOutput<typeof registerSchema>;

const statusSchema = v.picklist(["idle", "working", "draining", "not_ready"]);
export type ReportedStatus = v.InferOutput<typeof statusSchema>;

const controlSchema = v.variant("type", [
  v.object({
    type: v.literal("heartbeat"),
    host_cpu_percent: v.nullish(percent),
    host_ram_used_percent: v.nullish(percent),
  }),
  v.object({
    type: v.literal("status_update"),
    max_concurrency: v.nullish(count(MAX_CONCURRENCY)),
    models: v.nullish(models),
    status: v.nullish(statusSchema),
    reason: v.nullish(shortText),
    embedding_batch_size: v.nullish(count(MAX_EMBEDDING_BATCH)),
    agent_config: v.nullish(agentConfig),
  }),
  v.object({ type: v.literal("models_update"), models }),
]);
export type Control = v.InferOutput<typeof controlSchema>;

/** A first message that was read, or the close that refuses it. */
export type Parsed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly close: Close };

/** The first message of a worker. The reason of a refusal names the field and never repeats a value. */
export function parseRegister(text: string): Parsed<Register> {
  const json = parseJson(text);
  if (!isRecord(json) || json["type"] !== "register") return { ok: false, close: CLOSES.expected_register };
  const result = v.safeParse(registerSchema, json);
  return result.success
    ? { ok: true, value: result.output }
    : { ok: false, close: closeWith("invalid_register", issueText(result.issues)) };
}

/** A later JSON message. An unknown type is not an error: versions may differ. */
export function parseControl(
  json: unknown,
): Control | { readonly type: "unknown" } | { readonly type: "bad"; readonly reason: string } {
  if (!isRecord(json) || typeof json["type"] !== "string") return { type: "bad", reason: "a message without a type" };
  if (!["heartbeat", "status_update", "models_update"].includes(json["type"])) return { type: "unknown" };
  const result = v.safeParse(controlSchema, json);
  return result.success
    ? result.output
    : { type: "bad", reason: `invalid ${json["type"]}: ${issueText(result.issues)}` };
}

/** The server's answer to a native worker's registration. */
export interface Registered {
  readonly type: "registered";
  readonly worker_id: string;
  readonly session_id: string;
  /** Body bytes each direction of each exchange starts with. */
  readonly window: number;
  readonly max_frame: number;
  readonly ping_interval_ms: number;
}

/** Sent to native workers before the server goes away. */
export interface Drain {
  readonly type: "drain";
  readonly reason: string;
  readonly retry_after_ms: number;
}

export type HostInfo = Readonly<Record<string, string>>;

/** Facts about one host that are kept; the predecessor's agents send seven. */
const MAX_HOST_FACTS = 32;

/** What is known of a host after it said more: newer words replace older ones, and new names have room up to the limit. */
export function mergeHostInfo(was: HostInfo, said: HostInfo): HostInfo {
  return Object.fromEntries(Object.entries({ ...was, ...said }).slice(0, MAX_HOST_FACTS));
}

/** Inputs per embeddings request, which legacy agents say in `agent_config`; zero, nonsense and absence mean not said. */
export function batchSizeOf(message: {
  readonly embedding_batch_size?: number | null | undefined;
  readonly agent_config?: HostInfo | null | undefined;
}): number | undefined {
  const batch = message.embedding_batch_size ?? Number(message.agent_config?.["embedding_batch_size"] ?? 0);
  return Number.isInteger(batch) && batch > 0 ? Math.min(batch, MAX_EMBEDDING_BATCH) : undefined;
}

function toHostInfo(entries: Record<string, unknown>): HostInfo {
  const known: [string, string][] = [];
  for (const [key, value] of Object.entries(entries)) {
    if (known.length >= MAX_HOST_FACTS) break;
    if (typeof value === "string" && /^[a-z][a-z0-9_]{0,63}$/.test(key))
      known.push([key, cleanText(value.slice(0, 512))]);
  }
  return Object.fromEntries(known);
}

function isClean(text: string): boolean {
  return cleanText(text) === text;
}

function issueText(issues: readonly v.BaseIssue<unknown>[]): string {
  const issue = issues[0];
  const path = issue?.path?.map((item) => String(item.key)).join(".") ?? "message";
  // Valibot's "expected" of a field that is not there is the field's own name.
  if (issue?.received === "undefined") return `${path} is missing`;
  return `${path} ${issue?.expected ? `takes ${issue.expected}` : "is not valid"}`;
}
