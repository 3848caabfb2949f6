import * as v from "valibot";
import { parseJson } from "../json/parse.ts";
import type { Drain, Registered } from "./worker-messages.ts";

/** The least that one frame must take: a slice of the body pump with its head. */
const MIN_FRAME_BYTES = 256 * 1024;
/** No server has a reason to ask for a longer pause; one that does is asked again after this. */
const MAX_RETRY_AFTER_MS = 10 * 60_000;

/** A timer of more than 24.8 days would fire at once; an hour is already more than any server wants. */
const MAX_PING_INTERVAL_MS = 60 * 60_000;

const registeredSchema = v.object({
  type: v.literal("registered"),
  worker_id: v.pipe(v.string(), v.regex(/^[A-Za-z0-9._:@-]{1,128}$/)),
  session_id: v.pipe(v.string(), v.maxLength(128)),
  window: v.pipe(v.number(), v.integer(), v.minValue(1)),
  max_frame: v.pipe(v.number(), v.integer(), v.minValue(MIN_FRAME_BYTES)),
  ping_interval_ms: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(MAX_PING_INTERVAL_MS)),
});
const drainSchema = v.object({
  type: v.literal("drain"),
  reason: v.optional(v.pipe(v.string(), v.maxLength(512)), ""),
  retry_after_ms: v.pipe(
    v.optional(v.pipe(v.number(), v.minValue(0)), 0),
    v.transform((ms) => Math.min(ms, MAX_RETRY_AFTER_MS)),
  ),
});

/** What a server says in JSON text; `unknown` is for versions to come. */
export type ServerMessage =
  | Registered
  | Drain
  | { readonly type: "unknown" }
  | { readonly type: "bad"; readonly reason: string };

export function parseServerMessage(text: string): ServerMessage {
  const json = parseJson(text);
  const type = typeof json === "object" && json !== null && "type" in json ? json.type : undefined;
  if (type !== "registered" && type !== "drain") return { type: "unknown" };
  const result = v.safeParse(type === "registered" ? registeredSchema : drainSchema, json);
  return result.success ? result.output : { type: "bad", reason: `invalid ${type}` };
}
