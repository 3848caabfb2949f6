import type { AnyElysia } from "elysia";
import * as v from "valibot";
import type { OperatorDoor } from "../auth/operator-door.ts";
import { type ErrorCode, Fault } from "../errors.ts";
import { errorResponses, jsonAnswer, STATE_SECURITY } from "../openapi/schema.ts";
import type { Plugin } from "../plugin/contract.ts";
import type { EndedJobs } from "../plugin/details.ts";
import type { PeerReadings } from "../plugin/peer-readings.ts";
import { createRoutes, type RouteContext } from "../plugin/route-context.ts";
import { AllDetails } from "./all-details.ts";
import { jobDetailSchema, modelDetailSchema, workerDetailSchema } from "./detail-schema.ts";

export interface DetailRouteOptions {
  readonly auth: { readonly operators: Pick<OperatorDoor, "read"> };
  readonly plugins: readonly Plugin[];
  /** The jobs that have ended; undefined where nobody remembers them. */
  readonly ended?: EndedJobs | undefined;
  /** The other servers; undefined for a server that is the only one. */
  readonly readings?: PeerReadings | undefined;
}

const NO_STORE = { headers: { "cache-control": "no-store" } };
const PLUGIN_PARAMETER = {
  name: "plugin",
  in: "query",
  schema: { type: "string" },
  description: "The id of the only plugin to look in. Without it, the first one that knows the id answers.",
} as const;

/** One worker, one model and one job, for operators. */
export function detailRoutes({ auth, plugins, ended, readings }: DetailRouteOptions): AnyElysia {
  const details = new AllDetails({ plugins, ended, readings });
  const answer = async <D extends object>(
    { visit }: RouteContext,
    find: (plugin: string | undefined) => Promise<D | undefined>,
    code: ErrorCode,
  ): Promise<Response> => {
    auth.operators.read(visit);
    const name = URL.parse(visit.request.url)?.searchParams.get("plugin") ?? undefined;
    if (name !== undefined && !plugins.some(({ id }) => id === name))
      throw new Fault("invalid_request", { message: "This server has no such plugin.", param: "plugin" });
    const found = await find(name);
    if (!found) throw new Fault(code);
    return Response.json(found, NO_STORE);
  };
  const model = (context: RouteContext, id: string): Promise<Response> =>
    answer(context, (plugin) => details.model(id, plugin), "model_not_found");
  const detail = { tags: ["State"], security: STATE_SECURITY };
  const errors = (code: ErrorCode) =>
    errorResponses("invalid_request", "invalid_api_key", code, "too_many_auth_failures");
  const idParameter = (description: string) =>
    ({ name: "id", in: "path", required: true, schema: { type: "string" }, description }) as const;
  return createRoutes()
    .get(
      "/api/state/workers/:id",
      ({ visit, params }) =>
        answer({ visit, params }, (plugin) => details.worker(params.id, plugin), "worker_not_found"),
      {
        detail: {
          ...detail,
          summary: "One worker",
          description:
            "What the worker is and does, its last quarter of an hour, its last 50 failures and its last 20 connections. A worker that has left is remembered for an hour. In a cluster, any server answers for all.",
          parameters: [idParameter("The id of a worker in the state."), PLUGIN_PARAMETER],
          responses: {
            200: jsonAnswer(answerOf(workerDetailSchema.entries, "One worker: what it is, does and did lately.")),
            ...errors("worker_not_found"),
          },
        },
      },
    )
    .get("/api/state/models/:id", ({ visit, params }) => model({ visit, params }, params.id), {
      detail: {
        ...detail,
        summary: "One model",
        description:
          "Its workers, its queue, how fast it is, what it was used for, its last 50 failures and its last quarter of an hour. In a cluster, those of all servers together.",
        parameters: [
          idParameter("Any name that a request may use for the model; `/` and `:` may be percent-encoded."),
          PLUGIN_PARAMETER,
        ],
        responses: {
          200: jsonAnswer(
            answerOf(modelDetailSchema.entries, "One model: its workers, queue, speed, failures and jobs."),
          ),
          ...errors("model_not_found"),
        },
      },
    })
    .get("/api/state/models/*", ({ visit, params }) => model({ visit, params }, decodeOnce(params["*"])), {
      detail: { hide: true },
    })
    .get(
      "/api/state/jobs/:id",
      ({ visit, params }) => answer({ visit, params }, (plugin) => details.job(params.id, plugin), "job_not_found"),
      {
        detail: {
          ...detail,
          summary: "One job",
          description:
            "A job that runs or waits, or a request that has ended: the last 500, and the last 500 that failed, which are kept over a restart with `DATA_DIR`. In a cluster, any server answers for all.",
          parameters: [
            idParameter("The job's own id, as the state lists it, or the id of its request."),
            PLUGIN_PARAMETER,
          ],
          responses: {
            200: jsonAnswer(
              answerOf(jobDetailSchema.entries, "A job that runs or waits, or a request that has ended."),
            ),
            ...errors("job_not_found"),
          },
        },
      },
    );
}

/** Describes an answer for all servers. */
function answerOf(entries: v.ObjectEntries, description: string): v.GenericSchema {
  const missing = v.pipe(
    v.array(v.string()),
    v.description("In a cluster, the servers that have not answered, so that what they know is not here."),
  );
  return v.pipe(v.object({ ...entries, missing_servers: missing }), v.description(description));
}

function decodeOnce(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // The text is not percent-encoded, so it is the id itself.
  }
}
