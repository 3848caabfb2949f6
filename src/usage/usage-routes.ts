import type { AnyElysia } from "elysia";
import type { OperatorDoor } from "../auth/operator-door.ts";
import { Fault } from "../errors.ts";
import { errorResponses, jsonAnswer, rawAnswer, STATE_SECURITY } from "../openapi/schema.ts";
import { createRoutes } from "../plugin/route-context.ts";
import type { Clock } from "../system/deps.ts";
import type { EndedUsage } from "./ended-usage.ts";
import type { PastJob } from "./past-job.ts";
import { MAX_FAILED, MAX_RECENT } from "./past-jobs.ts";
import type { Group } from "./usage-groups.ts";
import { parseUsageQuery } from "./usage-parameters.ts";
import { pastJobsSchema, usageSchema } from "./usage-schema.ts";
import { csvText, jsonText, type NameOfKey, toLine, type UsageLine } from "./usage-text.ts";

export interface UsageRoutesOptions {
  readonly auth: { readonly operators: Pick<OperatorDoor, "read"> };
  readonly clock: Clock;
  readonly usage: Pick<EndedUsage, "reader" | "jobs">;
  /** Names the keys that have names of their own. */
  readonly nameOfKey: NameOfKey;
}

const USUAL_LIMIT = 100;
const NO_STORE = { "cache-control": "no-store" };

/** `GET /api/usage` and `GET /api/state/jobs`, for operators. */
export function usageRoutes({ auth, clock, usage, nameOfKey }: UsageRoutesOptions): AnyElysia {
  return createRoutes()
    .get(
      "/api/usage",
      async ({ visit }) => {
        auth.operators.read(visit);
        const query = parseUsageQuery(parametersOf(visit.request), clock.now());
        const groups = await usage.reader.read(query);
        const lines = toLines(groups.sorted(), nameOfKey);
        if (!wantsCsv(visit.request.headers)) return streamed(jsonText(query, lines), "application/json");
        return streamed(csvText(query, lines), "text/csv; charset=utf-8", {
          "content-disposition": `attachment; filename="usage-${query.step}.csv"`,
        });
      },
      {
        detail: {
          tags: ["State"],
          security: STATE_SECURITY,
          summary: "What was used, by key and model",
          description:
            "What requests used, added up over minutes, hours or days, up to this moment. With `Accept: text/csv` the same as CSV. With `DATA_DIR`, minutes are kept for 48 hours, hours for 90 days, and days for ever; without it, the newest 20,000 rows of each until a restart. In a cluster, each server counts the requests that its clients sent to it.",
          parameters: [
            parameter(
              "by",
              "What to add up by, comma separated: `key`, `model`, `end_user`. Unless given: `key,model`.",
            ),
            parameter(
              "from",
              "The beginning: a date or an RFC 3339 time. Unless given: an hour, a day or 30 days before `to`, by the step.",
            ),
            parameter("to", "The end, which is not included. Unless given: now."),
            parameter("step", "`minute`, `hour` or `day`. Unless given: by the time that is asked for."),
            parameter("key", "Only the usage of this key."),
            parameter("model", "Only the usage of this model."),
            parameter("end_user", "Only the usage of this person, by the digest in the rows."),
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
      ({ visit }) => {
        auth.operators.read(visit);
        const { isFailed, limit } = parseJobsQuery(parametersOf(visit.request));
        const jobs = isFailed ? usage.jobs.failed() : usage.jobs.recent();
        const data = jobs.slice(0, limit).map(toJson);
        return Response.json({ data, has_more: jobs.length > data.length }, { headers: NO_STORE });
      },
      {
        detail: {
          tags: ["State"],
          security: STATE_SECURITY,
          summary: "Requests that ended lately",
          description: `The last ${MAX_RECENT} requests that have ended, or the last ${MAX_FAILED} that failed, which are kept over a restart with \`DATA_DIR\`. Each server lists those of its own clients.`,
          parameters: [
            parameter("outcome", "`failed` for the requests that failed. Unless given: all."),
            {
              name: "limit",
              in: "query",
              schema: { type: "integer" },
              description: `The most entries to return: ${USUAL_LIMIT} unless given.`,
            },
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

function parameter(name: string, description: string) {
  return { name, in: "query", schema: { type: "string" }, description } as const;
}

function parametersOf(request: Request): URLSearchParams {
  return URL.parse(request.url)?.searchParams ?? new URLSearchParams();
}

function parseJobsQuery(parameters: URLSearchParams): { readonly isFailed: boolean; readonly limit: number } {
  const outcome = parameters.get("outcome");
  if (outcome !== null && outcome !== "failed")
    throw new Fault("invalid_request", { message: "'outcome' must be failed, or absent.", param: "outcome" });
  const written = parameters.get("limit") ?? String(USUAL_LIMIT);
  const limit = /^\d{1,6}$/.test(written) ? Number(written) : 0;
  if (limit < 1)
    throw new Fault("invalid_request", { message: "'limit' must be a whole number from 1.", param: "limit" });
  return { isFailed: outcome === "failed", limit };
}

/** Whether CSV is preferred to JSON. Browsers and clients that take anything get JSON. */
function wantsCsv(headers: Headers): boolean {
  return /(?:^|,)\s*text\/csv\b/i.test(headers.get("accept") ?? "");
}

function* toLines(groups: Iterable<Group>, nameOf: NameOfKey): Generator<UsageLine> {
  for (const group of groups) yield toLine(group, nameOf);
}

/** About 1 ms of work. */
const LINES_PER_CHUNK = 500;

/** Answers with a text that is written while it is sent, so that a long one does not halt the event loop. */
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

function toJson(job: PastJob): object {
  return {
    id: job.id,
    ended_at: new Date(job.endedAt).toISOString(),
    plugin: job.plugin,
    caller: job.caller,
    key: job.key,
    end_user: job.endUser ?? null,
    model: job.model,
    worker: job.worker ?? null,
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
  };
}
