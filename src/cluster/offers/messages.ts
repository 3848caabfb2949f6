import * as v from "valibot";
import { isModelId, MAX_TEXT_CHARS } from "../../wire/names.ts";

// The messages by which servers share free slots (docs/protocol.md, "Between servers"). Their lists are cut here, so that no
// peer can fill the queue of another one.

/** The most lines of one pool in a message, and the most flows of a line. */
export const MAX_LINES = 200;
export const MAX_FLOWS = 256;
/** The most jobs of one flow that have tickets at a peer. */
export const MAX_COUNT = 64;

const MAX_EXCLUDED = 64;
const MAX_WEIGHT = 10_000;
/** A day: longer than any wait. */
const MAX_WAITED_MS = 86_400_000;

const text = v.pipe(v.string(), v.maxLength(MAX_TEXT_CHARS));
const model = v.pipe(v.string(), v.check(isModelId));
const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const weight = v.pipe(v.number(), v.gtValue(0), v.maxValue(MAX_WEIGHT));

const demandSchema = v.object({
  model,
  exact: v.boolean(),
  worker: v.optional(text),
  kind: v.optional(text),
  /** The tenant of the callers, unless it is the usual one. */
  tenant: v.optional(text),
  excluded_sessions: v.optional(v.pipe(v.array(text), v.maxLength(MAX_EXCLUDED))),
  excluded_workers: v.optional(v.pipe(v.array(text), v.maxLength(MAX_EXCLUDED))),
});

/** The requirements of jobs that wait, as far as they decide which workers may serve them. */
export type WantedDemand = v.InferOutput<typeof demandSchema>;

const flowSchema = v.object({
  caller: text,
  tenant: text,
  weight,
  class: v.fallback(v.picklist(["interactive", "normal", "background"]), "normal"),
  end_user: v.optional(text),
  /** How many of its jobs wait. */
  count,
  /** How long the oldest of them has waited. */
  waited_ms: v.pipe(v.number(), v.minValue(0), v.maxValue(MAX_WAITED_MS)),
});

/** Jobs of one flow with the same requirements, which wait at the server that sends this. */
export type WantedFlow = v.InferOutput<typeof flowSchema>;

const cutList = <T extends v.GenericSchema>(item: T, most: number) =>
  v.pipe(
    v.array(v.unknown()),
    v.transform((list) => list.slice(0, most)),
    v.array(item),
  );

const lineSchema = v.object({ id: count, demand: demandSchema, flows: cutList(flowSchema, MAX_FLOWS) });
export type WantedLine = v.InferOutput<typeof lineSchema>;

/** All jobs of one pool that wait at the sender for slots of the receiver. It replaces what was told before. */
export const wantSchema = v.object({ type: v.literal("want"), pool: text, lines: cutList(lineSchema, MAX_LINES) });
export type Want = v.InferOutput<typeof wantSchema>;

/** Offers one slot of a worker, which is held for the receiver for a moment. The answer is a request with `slot`, or `no`. */
export const offerSchema = v.object({
  type: v.literal("offer"),
  pool: text,
  slot: text,
  model,
  sent_as: v.optional(text),
  worker: v.object({ id: text, name: text, session: text }),
  host_info: v.record(v.string(), v.string()),
  batch: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1))),
  is_loaded: v.boolean(),
  is_kept_alive: v.boolean(),
  kinds: v.optional(v.array(text)),
  /** The only tenants that the worker serves. */
  tenants: v.optional(v.array(text)),
});
export type Offer = v.InferOutput<typeof offerSchema>;

/** Gives an offered slot back. */
export const noSchema = v.object({ type: v.literal("no"), pool: text, slot: text });

/** Tells how many jobs are before the first one of a line of the receiver, in the queue of the sender. */
export const aheadSchema = v.object({
  type: v.literal("ahead"),
  pool: text,
  lines: cutList(v.object({ id: count, ahead: count }), MAX_LINES),
});
