import * as v from "valibot";

const amount = (description: string) => v.pipe(v.number(), v.description(description));

const missingServers = v.pipe(
  v.array(v.string()),
  v.description(
    "In a cluster, the servers that have not answered, so that what they keep is not here. A server is named until a quarter of an hour after it has gone.",
  ),
);

/** The answer of `GET /api/usage`. */
export const usageSchema = v.pipe(
  v.object({
    from: v.pipe(v.string(), v.description("The beginning of the first period, RFC 3339.")),
    to: v.string(),
    step: v.picklist(["minute", "hour", "day"]),
    missing_servers: missingServers,
    rows: v.array(
      v.object({
        at: v.pipe(v.string(), v.description("The beginning of the period, RFC 3339. Days are those of UTC.")),
        key: v.pipe(
          v.optional(v.string()),
          v.description(
            "The id of a made key, else the caller's name as in logs: `api-key:2`, `role:reader`, `anonymous`.",
          ),
        ),
        key_name: v.optional(v.string()),
        model: v.pipe(
          v.optional(v.string()),
          v.description(
            "The model under its worker's name. Requests that are not to a model have another name, such as `mcp:<relay>`.",
          ),
        ),
        end_user: v.pipe(
          v.optional(v.nullable(v.string())),
          v.description("A digest of the person behind the requests; null for requests that name none."),
        ),
        requests: amount("Requests that have ended, whatever their outcome."),
        failures: amount("Requests that failed."),
        input_tokens: amount("Includes cached tokens."),
        cached_tokens: amount("The part of the input tokens that came from a cache."),
        output_tokens: v.number(),
        audio_seconds: v.number(),
        wait_seconds: amount("Time without a slot."),
        held_seconds: amount("Time with a slot."),
        estimated: amount("How many of the input and output tokens are estimates, because no response stated them."),
      }),
    ),
  }),
  v.description("A row for each period and group that has usage, in the order of the periods."),
);

const text = v.nullable(v.string());
const count = v.nullable(v.number());

/** The answer of `GET /api/state/jobs`. */
export const pastJobsSchema = v.pipe(
  v.object({
    data: v.array(
      v.object({
        id: v.pipe(v.string(), v.description("The id of the request.")),
        job_id: v.pipe(text, v.description("The id of its job, for `GET /api/state/jobs/{id}`.")),
        kind: v.pipe(text, v.description("The path that was called, as `chat.completions`.")),
        server: v.pipe(v.optional(v.string()), v.description("In a cluster, the server that the client called.")),
        ended_at: v.pipe(v.string(), v.description("RFC 3339.")),
        plugin: v.string(),
        caller: v.pipe(v.string(), v.description("The caller's name as in logs.")),
        key: v.pipe(v.string(), v.description("As in the rows of usage.")),
        end_user: text,
        model: v.string(),
        worker: text,
        worker_name: text,
        worker_server: v.pipe(text, v.description("The server of that worker, if it is another one.")),
        outcome: v.picklist(["completed", "failed", "canceled"]),
        reason: v.pipe(text, v.description("The code of the error.")),
        status: count,
        input_tokens: count,
        cached_tokens: count,
        output_tokens: count,
        audio_seconds: count,
        estimated: v.pipe(v.boolean(), v.description("Whether the tokens are an estimate.")),
        wait_ms: v.pipe(v.number(), v.description("Time without a slot.")),
        held_ms: v.pipe(v.number(), v.description("Time with a slot.")),
        first_byte_ms: v.pipe(count, v.description("From acceptance to the first byte.")),
        attempts: v.pipe(count, v.description("How often it was sent to a worker.")),
      }),
    ),
    has_more: v.boolean(),
    missing_servers: missingServers,
  }),
  v.description("Requests that have ended, the newest first."),
);
