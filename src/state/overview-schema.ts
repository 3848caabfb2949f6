import * as v from "valibot";
import { CAPACITY, type Column, INTERVAL_MS } from "./history.ts";

// The schemas by which the API's description shows the State API's account of the whole server.

const count = v.number();
const wait = v.nullable(
  v.pipe(v.number(), v.description("Milliseconds, over the last minute; null where no answer began.")),
);

const sampleEntries = {
  at: v.pipe(v.number(), v.description("Milliseconds since 1970: the end of the second.")),
  workers_idle: count,
  workers_working: count,
  workers_not_ready: count,
  workers_draining: count,
  slots_used: count,
  slots_total: count,
  waiting: v.pipe(v.number(), v.description("Requests that wait for a slot.")),
  requests: v.pipe(v.number(), v.description("Ended within the second.")),
  failures: v.pipe(v.number(), v.description("Failed within the second, and not by the client's fault.")),
  tokens: v.pipe(
    v.number(),
    v.description(
      "Output tokens of answers. Those of a stream are told from its bytes while it runs, and corrected at its end.",
    ),
  ),
  prompt_tokens: v.pipe(
    v.number(),
    v.description(
      "Prompt tokens of the answers that state how many of them came from a cache, counted when the answer ends.",
    ),
  ),
  cached_tokens: v.pipe(v.number(), v.description("Those of `prompt_tokens` that came from a cache.")),
  bytes: v.pipe(v.number(), v.description("Bytes of answers within the second.")),
  first_byte_p50_ms: wait,
  first_byte_p95_ms: wait,
} satisfies Record<Column, v.GenericSchema>;

/** One second. */
export const sampleSchema = v.object(sampleEntries);

const problemSchema = v.object({
  code: v.pipe(v.string(), v.description("For programs; never changes its meaning.")),
  severity: v.picklist(["critical", "warning", "info"]),
  plugin: v.nullable(v.string()),
  about: v.pipe(
    v.object({
      plugin: v.optional(v.string()),
      worker: v.optional(v.string()),
      workers: v.optional(v.array(v.string())),
      model: v.optional(v.string()),
      server: v.optional(v.string()),
      caller: v.optional(v.string()),
    }),
    v.description("What it is about, by ids; empty if that is the whole server."),
  ),
  title: v.string(),
  advice: v.pipe(v.string(), v.description("What to do about it.")),
  since: v.pipe(v.string(), v.description("RFC 3339: when it began.")),
});

/** A pool of workers. */
export const poolSchema = v.object({
  plugin: v.string(),
  slots_used: count,
  slots_total: count,
  waiting: v.pipe(v.number(), v.description("Requests that wait for a slot.")),
  queue_capacity: v.pipe(v.number(), v.description("Requests that may wait.")),
  workers: v.object({ idle: count, working: count, not_ready: count, draining: count }),
  tokens_per_s: v.pipe(
    v.number(),
    v.description("Output tokens per second over the last ten seconds, those of running streams included."),
  ),
  tokens_estimated: v.pipe(
    v.boolean(),
    v.description("Whether a part of these tokens is told from the bytes of streams that run."),
  ),
});

/** `server` of the envelope. */
export const serverStateSchema = v.pipe(
  v.object({
    state: v.picklist(["ready", "not_ready", "draining"]),
    id: v.pipe(v.string(), v.description("Name of this server, from SERVER_ID.")),
    version: v.string(),
    started_at: v.pipe(v.string(), v.description("RFC 3339.")),
    uptime_s: v.number(),
    now: v.pipe(v.string(), v.description("RFC 3339: the server's clock.")),
    viewers: v.pipe(v.number(), v.description("Open streams of the state.")),
    sample: v.pipe(sampleSchema, v.description("The last whole second, over all plugins.")),
    pools: v.pipe(
      v.array(poolSchema),
      v.description(
        "The pools of workers, one for each plugin that has one: a pool can be full while others are idle.",
      ),
    ),
    problems: v.pipe(v.array(problemSchema), v.description("What is wrong now, worst first.")),
  }),
  v.description("The server as a whole."),
);

/** The answer of `/api/state/history`. */
export const historySchema = v.pipe(
  v.object({
    interval_ms: v.literal(INTERVAL_MS),
    capacity: v.literal(CAPACITY),
    samples: v.pipe(
      v.record(v.string(), v.array(v.nullable(v.number()))),
      v.description("A column for each figure of `server.sample`, all of the same length, oldest first."),
    ),
  }),
  v.description("The last quarter of an hour, a sample each second."),
);
