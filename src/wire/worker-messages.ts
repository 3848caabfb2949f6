import * as v from "valibot";
import { isRecord } from "../json/parse.ts";
import { cleanText } from "./clean-text.ts";
import { CLOSES } from "./closes.ts";
import {
  countField,
  idField,
  issueText,
  joinIdsField,
  keyField,
  kindsField,
  modelsField,
  type Parsed,
  percentField,
  refusal,
  type Sent,
  textField,
} from "./fields.ts";
import { modelInfoField } from "./model-info.ts";
import { MAX_TEXT_CHARS } from "./names.ts";

/**
 * The messages that workers send as JSON text: the first message, and control messages after it. Both dialects share them.
 * The server trusts none of it: every length is bounded, and control characters are removed from text for people.
 */

const MAX_CONCURRENCY = 100_000;
/** The largest batch that a worker may ask for: OpenAI accepts 2,048 inputs in one request. */
const MAX_EMBEDDING_BATCH = 2048;

const agentConfig = v.pipe(
  v.record(v.string(), v.unknown(), "an object"),
  // Only facts about the host that are text are kept; other members are ignored.
  v.transform((entries) => toHostInfo(entries)),
);

/** The fields of the first message. `docs/protocol.md` lists them, which a test ensures. */
export const registerSchema = v.object({
  type: v.literal("register"),
  client_key: v.nullish(keyField),
  /** The key that the worker had before. Proves the id to be its own after its key was replaced. */
  previous_client_key: v.nullish(keyField),
  /** The token that is traded for a key of the worker's own, and the secret with which the trade can be repeated. */
  join_token: v.nullish(keyField),
  join_proof: v.nullish(keyField),
  /** The ids that this key may register, the worker's own first. */
  join_ids: v.nullish(joinIdsField),
  worker_id: v.nullish(idField),
  worker_name: v.nullish(textField),
  models: v.nullish(modelsField),
  model_info: v.nullish(modelInfoField),
  /** The models that a request need not wait for to be loaded. Absent: not known. */
  loaded: v.nullish(modelsField),
  max_concurrency: v.nullish(countField(MAX_CONCURRENCY)),
  embedding_batch_size: v.nullish(countField(MAX_EMBEDDING_BATCH)),
  exchange_kinds: v.nullish(kindsField),
  version: v.nullish(textField),
  build_sha: v.nullish(textField),
  build_date: v.nullish(textField),
  agent_config: v.nullish(agentConfig),
});
/** The first message of a worker that serves models, as the server has read it. */
export type Register = v.InferOutput<typeof registerSchema>;
/** The first message of a worker that serves models, as the worker writes it. */
export type RegisterMessage = Sent<v.InferInput<typeof registerSchema>>;

const statusSchema = v.picklist(["idle", "working", "draining", "not_ready"], "idle, working, draining or not_ready");
export type ReportedStatus = v.InferOutput<typeof statusSchema>;

/** The fields of control messages. `docs/protocol.md` lists them, which a test ensures. */
export const controlSchema = v.variant("type", [
  v.object({
    type: v.literal("heartbeat"),
    host_cpu_percent: v.nullish(percentField),
    host_ram_used_percent: v.nullish(percentField),
  }),
  v.object({
    type: v.literal("status_update"),
    max_concurrency: v.nullish(countField(MAX_CONCURRENCY)),
    models: v.nullish(modelsField),
    model_info: v.nullish(modelInfoField),
    loaded: v.nullish(modelsField),
    status: v.nullish(statusSchema),
    reason: v.nullish(textField),
    embedding_batch_size: v.nullish(countField(MAX_EMBEDDING_BATCH)),
    agent_config: v.nullish(agentConfig),
  }),
  v.object({
    type: v.literal("models_update"),
    models: modelsField,
    model_info: v.nullish(modelInfoField),
    loaded: v.nullish(modelsField),
  }),
]);
/** A control message as the server has read it. */
export type Control = v.InferOutput<typeof controlSchema>;
/** A control message as a worker writes it. */
export type ControlMessage = Exclude<SentControl, SentHeartbeat> | HeartbeatMessage;
type SentControl = Sent<v.InferInput<typeof controlSchema>>;
type SentHeartbeat = Extract<SentControl, { readonly type: "heartbeat" }>;
/** A heartbeat also carries the worker's time in seconds since 1970, as the predecessor's do; servers do not read it. */
type HeartbeatMessage = SentHeartbeat & { readonly ts: number };

/**
 * Meaningless bytes with which the doctor tests how large a message may be. Servers ignore this type like any unknown
 * one.
 */
export interface PaddingMessage {
  readonly type: "doctor_padding";
  readonly padding: string;
}

/** Reads the first message of a worker that serves models. A refusal names the field and never repeats a value. */
export function parseRegister(json: unknown): Parsed<Register> {
  if (!isRecord(json) || json["type"] !== "register") return { ok: false, close: CLOSES.expected_register };
  const result = v.safeParse(registerSchema, json);
  return result.success
    ? { ok: true, value: result.output }
    : { ok: false, close: refusal("invalid_register", "worker_id", result.issues) };
}

/** Reads a later JSON message. An unknown type is not an error: versions may differ. */
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

export type HostInfo = Readonly<Record<string, string>>;

/** The most facts that are kept about one host; the predecessor's agents send seven. */
const MAX_HOST_FACTS = 32;

/**
 * Adds newly reported facts about a host: they replace older ones of the same name, and new names are added up to the
 * limit.
 */
export function mergeHostInfo(was: HostInfo, said: HostInfo): HostInfo {
  return Object.fromEntries(Object.entries({ ...was, ...said }).slice(0, MAX_HOST_FACTS));
}

/**
 * Returns the inputs per embeddings request. Legacy agents put it in `agent_config`. Zero, nonsense and absence give
 * undefined.
 */
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
      known.push([key, cleanText(value.slice(0, MAX_TEXT_CHARS))]);
  }
  return Object.fromEntries(known);
}
