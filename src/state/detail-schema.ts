import * as v from "valibot";
import {
  JOB_STATUSES,
  type JobDetail,
  MODEL_COLUMNS,
  type ModelDetail,
  WORKER_COLUMNS,
  type WorkerDetail,
} from "../plugin/details.ts";
import { FAILURE_CAUSES } from "../plugin/failure-cause.ts";

// The schemas of one worker, one model and one job: for the API's description, and for what other servers tell of theirs.

const described = <S extends v.GenericSchema>(schema: S, text: string) => v.pipe(schema, v.description(text));

const text = v.nullable(v.string());
const amount = v.nullable(v.number());
const time = described(v.string(), "RFC 3339.");
const timeOrNull = described(v.nullable(v.string()), "RFC 3339.");
const server = v.optional(described(v.string(), "In a cluster, the id of the server."));
const cause = v.picklist(FAILURE_CAUSES);
const causeOrNull = described(
  v.nullable(cause),
  "What a failure has to do with: `rejected` by the server, `timeout`, `backend`, `lost` worker or `other`.",
);
const workerName = v.object({
  id: v.string(),
  name: v.string(),
  server: v.optional(described(v.string(), "The server that the worker is connected to, if it is another one.")),
});

const historyOf = <C extends string>(columns: readonly C[], about: string) =>
  v.object({
    interval_ms: v.number(),
    capacity: described(v.number(), "The most points that are kept."),
    samples: described(
      // Each column of the list has the same schema.
      v.object(
        Object.fromEntries(["at" as const, ...columns].map((column) => [column, v.array(amount)])) as Record<
          "at" | C,
          v.ArraySchema<typeof amount, undefined>
        >,
      ),
      about,
    ),
  });

const error = v.object({
  at: time,
  server,
  request_id: described(text, "Null for a request of another server."),
  job_id: text,
  kind: text,
  model: v.string(),
  worker: described(v.nullable(workerName), "Null for a request that no worker had."),
  caller: text,
  reason: described(
    v.string(),
    "The code of the error, or what was wrong with the attempt: `upstream_error`, `lost`, `status 500`.",
  ),
  cause,
  retried: described(v.boolean(), "Whether the job went on with another worker."),
});

/** The answer of `GET /api/state/jobs/{id}`. */
export const jobDetailSchema = v.pipe(
  v.object({
    id: described(text, "The job's own id, `<server>~<plugin>-…`; null where it is not known."),
    request_id: v.string(),
    server: v.optional(described(v.string(), "In a cluster, the server that the client called.")),
    plugin: v.string(),
    kind: described(text, "The path that was called, as `chat.completions`."),
    model: v.string(),
    status: v.picklist(JOB_STATUSES),
    position: described(amount, "Its place in the queue; null if it does not wait."),
    caller: described(v.string(), "The caller's name as in logs."),
    key: described(v.string(), "As in the rows of usage."),
    end_user: text,
    class: text,
    worker: v.nullable(workerName),
    route: described(text, "Why it has that worker, in one word."),
    reason: described(text, "The code of the error that ended it."),
    cause: causeOrNull,
    message: described(text, "The error as its client got it."),
    http_status: amount,
    attempts: described(
      v.array(
        v.object({
          worker: workerName,
          status: v.picklist(JOB_STATUSES),
          reason: text,
          cause: causeOrNull,
          running_ms: v.number(),
        }),
      ),
      "The tries on workers, the first one first.",
    ),
    refusals: described(v.number(), "How often a worker turned it down because no slot was free."),
    accepted_at: time,
    first_byte_at: timeOrNull,
    ended_at: timeOrNull,
    waiting_ms: v.number(),
    first_byte_ms: described(amount, "From acceptance to the first byte."),
    running_ms: described(v.number(), "Time with a worker."),
    bytes_out: v.number(),
    input_tokens: amount,
    cached_tokens: amount,
    output_tokens: amount,
    audio_seconds: amount,
    estimated: described(v.boolean(), "Whether the tokens are an estimate."),
  } satisfies Record<keyof JobDetail, v.GenericSchema>),
  v.description("A job that runs or waits, or a request that has ended and is still remembered."),
);

const restriction = v.looseObject({ id: v.string() });

/** The answer of `GET /api/state/workers/{id}`. */
export const workerDetailSchema = v.pipe(
  v.object({
    id: v.string(),
    plugin: v.string(),
    server,
    name: v.string(),
    connected: v.boolean(),
    worker: described(
      v.record(v.string(), v.unknown()),
      "The worker as its plugin's state lists it; for one that has left, as it was then.",
    ),
    restriction: described(
      v.nullable(restriction),
      "As in the plugin's `restrictions`; null if it is neither drained nor blocked.",
    ),
    sessions: described(
      v.array(
        v.object({
          server,
          connected_at: time,
          gone_at: timeOrNull,
          reason: described(text, "Why the connection ended; some of the words may be the worker's."),
          version: text,
          dialect: v.string(),
        }),
      ),
      "Its last connections, the newest first.",
    ),
    jobs: v.array(jobDetailSchema),
    errors: described(v.array(error), "Its last failures, the newest first."),
    history: historyOf(
      WORKER_COLUMNS,
      "The last quarter of an hour. `requests` and `failures` ended within the interval, `tokens_per_s` is output, and `first_byte_ms` the average from the sending of a request to its first byte. Null while it was not connected.",
    ),
  } satisfies Record<keyof WorkerDetail, v.GenericSchema>),
  v.description("One worker: what it is, does and did lately."),
);

const count = v.number();

/** The answer of `GET /api/state/models/{id}`. */
export const modelDetailSchema = v.pipe(
  v.object({
    id: described(v.string(), "The workers' name for the model."),
    plugin: v.string(),
    server,
    type: text,
    context_length: amount,
    max_context_length: amount,
    input_modalities: v.array(v.string()),
    output_modalities: v.array(v.string()),
    workers: v.array(
      v.object({
        ...workerName.entries,
        status: v.string(),
        slots_used: count,
        slots_total: count,
        inflight: described(count, "Jobs of this model that it has."),
        loaded: described(v.nullable(v.boolean()), "Whether it has the model in memory; null where it does not say."),
        out: described(v.boolean(), "Whether it gets no jobs for the model because it failed too often."),
        prefill_tokens_per_s: amount,
        decode_tokens_per_s: amount,
      }),
    ),
    workers_total: described(count, "All workers of the model; `workers` lists at most 200."),
    slots_free: count,
    slots_total: count,
    inflight: count,
    waiting: count,
    oldest_waiting_ms: amount,
    queue: described(v.object({ waiting: count, capacity: count }), "The queue of all models of the plugin."),
    tokens_per_s: described(count, "Output over the last minute, that of running streams included."),
    cached_share: amount,
    first_byte_p50_ms: described(amount, "Over the last 256 answers of the last quarter of an hour."),
    first_byte_p95_ms: amount,
    totals: described(
      v.object({
        requests: count,
        failures: count,
        input_tokens: count,
        cached_tokens: count,
        output_tokens: count,
        audio_seconds: count,
      }),
      "Since the server started.",
    ),
    causes: described(
      v.object({ rejected: count, timeout: count, backend: count, lost: count, other: count }),
      "The failures since the server started, by cause.",
    ),
    errors: described(v.array(error), "The last failures, the newest first."),
    jobs: v.array(jobDetailSchema),
    history: historyOf(MODEL_COLUMNS, "The last quarter of an hour, as for a worker."),
  } satisfies Record<keyof ModelDetail, v.GenericSchema>),
  v.description("One model: its workers, queue, speed, failures and jobs."),
);
