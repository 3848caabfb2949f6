import * as v from "valibot";
import { isRecord, parseJson } from "../json/parse.ts";
import { SERVER_ID } from "../system/server-id.ts";
import { keyField, modelsField, textField } from "./fields.ts";
import { isId } from "./names.ts";

/** The server's answer to a native worker's registration. */
export interface Registered {
  readonly type: "registered";
  readonly worker_id: string;
  readonly session_id: string;
  /** Body bytes that each direction of each exchange starts with. */
  readonly window: number;
  /** The largest frame that the server reads, in bytes. */
  readonly max_frame: number;
  readonly ping_interval_ms: number;
  /** The server's `SERVER_ID`. Earlier servers do not send it. */
  readonly server_id?: string | undefined;
  readonly server_version?: string | undefined;
  /** A key of the worker's own, in return for its join token. The worker keeps it, and nobody else does. */
  readonly credential?: string | undefined;
}

/** Tells native workers that the server is going away. */
export interface Drain {
  readonly type: "drain";
  readonly reason: string;
  readonly retry_after_ms: number;
}

/**
 * Tells native workers that another server is taking over, while this one goes on serving. A worker dials again beside its
 * link, and ends the link only after the `drain` that follows.
 */
export interface Handover {
  readonly type: "handover";
  readonly reason: string;
  readonly retry_after_ms: number;
}

/**
 * Tells native workers what their key allows, if that is not everything: after the registration, and again when the key, or
 * the list of models that it does not allow, changes. An absent member restricts nothing.
 */
export interface Terms {
  readonly type: "terms";
  /** Names and patterns of the models that the worker may serve. */
  readonly models?: readonly string[] | undefined;
  /** Those of the models that it offers which it may not serve. */
  readonly refused_models?: readonly string[] | undefined;
  readonly tenants?: readonly string[] | undefined;
  readonly max_slots?: number | undefined;
}

/** The smallest acceptable frame limit: it must fit a slice of the body pump together with a head. */
const MIN_FRAME_BYTES = 256 * 1024;
/** The longest pause that is observed; no server has a reason to ask for more. */
const MAX_RETRY_AFTER_MS = 10 * 60_000;

/** An hour is more than any server wants, and far below the 24.8 days past which a timer fires at once. */
const MAX_PING_INTERVAL_MS = 60 * 60_000;

const registeredSchema = v.object({
  type: v.literal("registered"),
  worker_id: v.pipe(v.string(), v.check(isId)),
  session_id: v.pipe(v.string(), v.maxLength(128)),
  window: v.pipe(v.number(), v.integer(), v.minValue(1)),
  max_frame: v.pipe(v.number(), v.integer(), v.minValue(MIN_FRAME_BYTES)),
  ping_interval_ms: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(MAX_PING_INTERVAL_MS)),
  // An invalid name is no reason to leave the server.
  server_id: v.fallback(v.optional(v.pipe(v.string(), v.regex(SERVER_ID))), undefined),
  server_version: v.fallback(v.optional(v.pipe(textField, v.maxLength(64))), undefined),
  credential: v.optional(keyField),
});
const leaveFields = {
  reason: v.optional(v.pipe(v.string(), v.maxLength(512)), ""),
  retry_after_ms: v.pipe(
    v.optional(v.pipe(v.number(), v.minValue(0)), 0),
    v.transform((ms) => Math.min(ms, MAX_RETRY_AFTER_MS)),
  ),
};
const SCHEMAS = {
  registered: registeredSchema,
  drain: v.object({ type: v.literal("drain"), ...leaveFields }),
  handover: v.object({ type: v.literal("handover"), ...leaveFields }),
  terms: v.object({
    type: v.literal("terms"),
    models: v.optional(modelsField),
    refused_models: v.optional(modelsField),
    tenants: v.optional(v.array(textField)),
    max_slots: v.optional(v.number()),
  }),
};

/** A message that a server sends as JSON text. A later version may send types that are `unknown` here. */
export type ServerMessage =
  | Registered
  | Drain
  | Handover
  | Terms
  | { readonly type: "unknown" }
  | { readonly type: "bad"; readonly reason: string };

/** Reads a JSON text message of the server. */
export function parseServerMessage(text: string): ServerMessage {
  const json = parseJson(text);
  const type = isRecord(json) ? json["type"] : undefined;
  if (type !== "registered" && type !== "drain" && type !== "handover" && type !== "terms") return { type: "unknown" };
  const result = v.safeParse(SCHEMAS[type], json);
  return result.success ? result.output : { type: "bad", reason: `invalid ${type}` };
}
