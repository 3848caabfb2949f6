import type { AnyElysia } from "elysia";
import type { OperatorDoor } from "../auth/operator-door.ts";
import { countIn, type Query, queryOf, wordIn } from "../http/query.ts";
import { errorResponses, jsonAnswer, queryParameter, rawAnswer, STATE_SECURITY } from "../openapi/schema.ts";
import { createRoutes } from "../plugin/route-context.ts";
import type { Clock } from "../system/deps.ts";
import type { AllUsage, JobOfServer } from "./all-usage.ts";
import { MAX_FAILED, MAX_RECENT } from "./past-jobs.ts";
import type { Group } from "./usage-groups.ts";
import { parseUsageQuery } from "./usage-parameters.ts";
import { pastJobsSchema, usageSchema } from "./usage-schema.ts";
import { csvText, jsonText, type NameOfKey, toLine, type UsageLine } from "./usage-text.ts";

export interface UsageRoutesOptions {
  readonly auth: { readonly operators: Pick<OperatorDoor, "read"> };
  readonly clock: Clock;
  readonly usage: Pick<AllUsage, "read" | "jobs">;
  /** Names the keys that have names of their own. */
  readonly nameOfKey: NameOfKey;
}

const USUAL_LIMIT = 100;
const MAX_LIMIT = 1000;
const NO_STORE = { "cache-control": "no-store" };
/** Names the servers whose usage is not in an answer, also of CSV, which has no other place for it. */
const MISSING_HEADER = "x-moorage-missing-servers";

/** `GET /api/usage` and `GET /api/state/jobs`, for operators. */
export function usageRoutes({ auth, clock, usage, nameOfKey }: UsageRoutesOptions): AnyElysia {
  return createRoutes()
    .get(
      "/api/usage",
      async ({ visit }) => {
        auth.operators.read(visit);
        const query = parseUsageQuery(queryOf(visit.request), clock.now());
        const { groups, missing } = await usage.read(query);
        const lines = toLines(groups.sorted(), nameOfKey);
        const headers: Readonly<Record<string, string>> =
          missing.length === 0 ? {} : { [MISSING_HEADER]: missing.join(", ") };
        if (!wantsCsv(visit.request.headers))
          return streamed(jsonText(query, missing, lines), "application/json", headers);
        return streamed(csvText(query, lines), "text/csv; charset=utf-8", {
          ...headers,
          "content-disposition": `attachment; filename="usage-${query.step}.csv"`,
        });
      },
      {
        detail: {
          tags: ["State"],
          security: STATE_SECURITY,
          summary: "Usage by key and model",
          description:
            "What requests used, added up over minutes, hours or days, up to this moment. With `Accept: text/csv` the same as CSV. With `DATA_DIR`, minutes are kept for 48 hours, hours for 90 days, and days for ever; without it, the newest 20,000 rows of each until a restart. In a cluster, any server answers for all: it asks the others, and names those that do not answer within 10 seconds in `missing_servers` and in the header `x-moorage-missing-servers`.",
          parameters: [
            queryParameter(
              "by",
              "What to group by, comma separated: `key`, `model`, `end_user`. Default: `key,model`.",
            ),
            queryParameter(
              "from",
              "The beginning: a date or an RFC 3339 time. Default: an hour, a day or 30 days before `to`, depending on the step.",
            ),
            queryParameter("to", "The end, which is not included. Default: now."),
            queryParameter("step", "`minute`, `hour` or `day`. Default: the finest one that suits the range."),
            queryParameter("key", "Only the usage of this key."),
            queryParameter("model", "Only the usage of this model."),
            queryParameter("end_user", "Only the usage of this end user, given by the digest in the rows."),
          ],
          responses: {
            200: {
              ...jsonAnswer(usageSchema),
              content: {
                ...jsonAnswer(usageSchema).content,
                ...rawAnswer("text/csv", "", CSV_EXAMPLE).content,
              },
            },
            ...errorResponses("invalid_request", "invalid_api_key", "too_many_auth_failures", "too_many_requests"),
          },
        },
      },
    )
    .get(
      "/api/state/jobs",
      async ({ visit }) => {
        auth.operators.read(visit);
        const { isFailed, limit } = parseJobsQuery(queryOf(visit.request));
        const { jobs, hasMore, missing } = await usage.jobs(isFailed, limit);
        const answer = { data: jobs.map(toJson), has_more: hasMore, missing_servers: missing };
        return Response.json(answer, { headers: NO_STORE });
      },
      {
        detail: {
          tags: ["State"],
          security: STATE_SECURITY,
          summary: "Requests that ended recently",
          description: `The last ${MAX_RECENT} requests that have ended, or the last ${MAX_FAILED} that failed, which are kept over a restart with \`DATA_DIR\`. In a cluster, those of all servers.`,
          parameters: [
            queryParameter("outcome", "`failed` for the requests that failed. Default: all."),
            queryParameter(
              "limit",
              `The most entries to return, up to ${MAX_LIMIT}. Default: ${USUAL_LIMIT}.`,
              "integer",
            ),
          ],
          responses: {
            200: jsonAnswer(pastJobsSchema),
            ...errorResponses("invalid_request", "invalid_api_key", "too_many_auth_failures"),
          },
        },
      },
    );
}

const CSV_EXAMPLE =
  "at,key,key_name,model,requests,failures,input_tokens,cached_tokens,output_tokens,audio_seconds,wait_seconds,held_seconds,estimated\r\n";

function parseJobsQuery(query: Query): { readonly isFailed: boolean; readonly limit: number } {
  return {
    isFailed: wordIn(query, "outcome", ["failed"]) !== undefined,
    limit: countIn(query, "limit", MAX_LIMIT) ?? USUAL_LIMIT,
  };
}

/** Whether CSV is preferred to JSON. Browsers and clients that take anything get JSON. */
function wantsCsv(headers: Headers): boolean {
  return /(?:^|,)\s*text\/csv\b/i.test(headers.get("accept") ?? "");
}

function* toLines(groups: Iterable<Group>, nameOf: NameOfKey): Generator<UsageLine> {
  for (const group of groups) yield toLine(group, nameOf);
}

/** The lines that are formatted at a time, which takes about 1 ms. */
const LINES_PER_CHUNK = 500;

/** Answers with a text that is generated while it is sent, so that a long one does not block the event loop. */
function streamed(text: Iterator<string>, type: string, headers: Readonly<Record<string, string>> = {}): Response {
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      let chunk = "";
      for (let lines = 0; lines < LINES_PER_CHUNK; lines += 1) {
        const next = text.next();
        if (next.done) {
          if (chunk !== "") controller.enqueue(encoder.encode(chunk));
          return controller.close();
        }
        chunk += next.value;
      }
      controller.enqueue(encoder.encode(chunk));
    },
  });
  return new Response(body, { headers: { "content-type": type, ...NO_STORE, ...headers } });
}

function toJson({ server, job }: JobOfServer): object {
  return {
    id: job.id,
    job_id: job.jobId ?? null,
    kind: job.kind ?? null,
    ...(server !== undefined && { server }),
    ended_at: new Date(job.endedAt).toISOString(),
    plugin: job.plugin,
    caller: job.caller,
    key: job.key,
    end_user: job.endUser ?? null,
    model: job.model,
    worker: job.worker ?? null,
    worker_name: job.workerName ?? null,
    worker_server: job.workerServer ?? null,
    outcome: job.outcome,
    reason: job.reason ?? null,
    status: job.status ?? null,
    input_tokens: job.inputTokens ?? null,
    cached_tokens: job.cachedTokens ?? null,
    output_tokens: job.outputTokens ?? null,
    audio_seconds: job.audioSeconds ?? null,
    estimated: job.isEstimated,
    wait_ms: job.waitMs,
    held_ms: job.heldMs,
    first_byte_ms: job.firstByteMs ?? null,
    attempts: job.attempts ?? null,
  };
}
