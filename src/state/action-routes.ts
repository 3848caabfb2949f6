import type { AnyElysia } from "elysia";
import * as v from "valibot";
import type { Auth } from "../auth/auth.ts";
import { type ErrorCode, Fault } from "../errors.ts";
import { errorResponses, jsonAnswer, STATE_SECURITY } from "../openapi/schema.ts";
import type { Plugin } from "../plugin/contract.ts";
import { createRoutes, type RouteContext } from "../plugin/route-context.ts";
import type { Log } from "../system/deps.ts";

export interface ActionOptions {
  readonly auth: Auth;
  readonly log: Log;
  readonly plugins: readonly Plugin[];
}

type Target = "worker" | "job";

interface Action {
  readonly name: string;
  readonly target: Target;
  readonly summary: string;
  readonly description: string;
  /**
   * Acts on the plugin, for the operator of this caller name. Returns false for an id that the plugin does not know, or a
   * plugin that has no such target.
   */
  readonly act: (plugin: Plugin, id: string, by: string) => boolean;
  /** Whether an id that no plugin knows is acted on in every plugin. */
  readonly isForUnknown?: boolean;
}

const ACTIONS: readonly Action[] = [
  {
    name: "drain",
    target: "worker",
    summary: "Give a worker no more jobs",
    description:
      "Running jobs continue. The drain lasts until it is cancelled, also while the worker is away, and with `DATA_DIR` over a restart of the server.",
    act: ({ workers }, id, by) => workers?.drainWorker(id, true, by) ?? false,
  },
  {
    name: "undrain",
    target: "worker",
    summary: "Give a worker jobs again",
    description: "Cancels a drain. A worker that was not drained does not change.",
    act: ({ workers }, id, by) => workers?.drainWorker(id, false, by) ?? false,
  },
  {
    name: "block",
    target: "worker",
    summary: "Keep a worker from connecting",
    description:
      "Its connection is closed, and a worker of this id is refused until the block is lifted, with `DATA_DIR` over a restart of the server as well. The worker need not be connected. If no plugin knows the id, it is blocked in all of them.",
    act: ({ workers }, id, by) => workers?.blockWorker(id, true, by) ?? false,
    isForUnknown: true,
  },
  {
    name: "unblock",
    target: "worker",
    summary: "Let a blocked worker connect again",
    description: "The worker comes back by itself, a minute later at most.",
    act: ({ workers }, id, by) => workers?.blockWorker(id, false, by) ?? false,
  },
  {
    name: "disconnect",
    target: "worker",
    summary: "Close a worker's connection",
    description: "Its running jobs are lost, or repeated by another worker. The worker may reconnect by itself.",
    act: ({ workers }, id) => workers?.disconnectWorker(id) ?? false,
  },
  {
    name: "cancel",
    target: "job",
    summary: "Cancel a job",
    description: "The client gets the error `canceled_by_operator`, and the worker is asked to stop.",
    act: ({ jobs }, id) => jobs?.cancelJob(id) ?? false,
  },
];

const answerSchema = v.object({
  id: v.string(),
  action: v.picklist(ACTIONS.map(({ name }) => name)),
  status: v.literal("ok"),
  plugins: v.pipe(v.array(v.string()), v.description("The plugins that knew the id.")),
});

const tokenSchema = v.object({
  token: v.pipe(v.nullable(v.string()), v.description("Null if clients need no key.")),
  expires_in: v.pipe(v.number(), v.description("Seconds.")),
});

const ID: Readonly<Record<Target, string>> = {
  worker: "The id of a worker or relay in the state.",
  job: "As the state lists it among a plugin's jobs, `<server>~<plugin>-…`; not the id of its request.",
};
const PLUGIN_PARAMETER = {
  name: "plugin",
  in: "query",
  schema: { type: "string" },
  description: "The id of the only plugin to act on. Several plugins may have workers of one id.",
} as const;
const NOT_FOUND: Readonly<Record<Target, ErrorCode>> = { worker: "worker_not_found", job: "job_not_found" };
/** The token of a server that asks for no key; the page renews it as it would any other. */
const OPEN_EXPIRES_IN_S = 300;
/** The longest id that is logged. Ids are no longer, but an unknown one in a path may have any length. */
const MAX_LOGGED_ID_CHARS = 128;
const NO_STORE = { headers: { "cache-control": "no-store" } };

/** Routes for operators' actions, and for the token with which the dashboard calls the public API. */
export function actionRoutes({ auth, log, plugins }: ActionOptions): AnyElysia {
  const routes = createRoutes();
  const pluginsNamedBy = (request: Request): readonly Plugin[] => {
    const name = new URL(request.url).searchParams.get("plugin");
    if (name === null) return plugins;
    const named = plugins.filter((plugin) => plugin.id === name);
    if (named.length > 0) return named;
    throw new Fault("invalid_request", { message: "This server has no such plugin.", param: "plugin" });
  };
  for (const action of ACTIONS) {
    const serve = ({ visit, params }: RouteContext): Response => {
      const caller = auth.operators.act(visit);
      const id = params?.["id"] ?? "";
      const done = targets(action, pluginsNamedBy(visit.request), id)
        .filter((plugin) => action.act(plugin, id, caller.name))
        .map((plugin) => plugin.id);
      log.info("operator.action", {
        request: visit.requestId,
        caller: caller.name,
        address: auth.addressOf(visit),
        action: action.name,
        target: `${action.target} ${id.slice(0, MAX_LOGGED_ID_CHARS)}`,
        plugins: done.join(","),
        outcome: done.length > 0 ? "done" : "not_found",
      });
      if (done.length === 0) throw new Fault(NOT_FOUND[action.target]);
      return Response.json({ id, action: action.name, status: "ok", plugins: done }, NO_STORE);
    };
    routes.post(`/api/state/${action.target}s/:id/${action.name}`, ({ visit, params }) => serve({ visit, params }), {
      parse: "none",
      detail: {
        tags: ["State"],
        security: STATE_SECURITY,
        summary: action.summary,
        description: action.description,
        parameters: [
          { name: "id", in: "path", required: true, schema: { type: "string" }, description: ID[action.target] },
          PLUGIN_PARAMETER,
        ],
        responses: {
          200: jsonAnswer(answerSchema),
          ...errorResponses(
            "invalid_request",
            "invalid_api_key",
            "origin_not_allowed",
            NOT_FOUND[action.target],
            "too_many_auth_failures",
          ),
        },
      },
    });
  }
  return routes.post(
    "/api/state/token",
    ({ visit }) => {
      const issued = auth.operators.issueTryToken(visit);
      return Response.json(
        { token: issued?.token ?? null, expires_in: issued?.expiresInS ?? OPEN_EXPIRES_IN_S },
        NO_STORE,
      );
    },
    {
      parse: "none",
      detail: {
        tags: ["State"],
        security: STATE_SECURITY,
        summary: "Short-lived token for the public API",
        description:
          "Replaces an API key for a few minutes at most, until the sign-in ends. The dashboard's panels use it. It opens neither the state nor operators' actions.",
        responses: {
          200: jsonAnswer(tokenSchema),
          ...errorResponses("invalid_api_key", "origin_not_allowed", "too_many_auth_failures"),
        },
      },
    },
  );
}

/** Returns the plugins that an action is tried on. One worker may serve several plugins under one id. */
function targets(action: Action, plugins: readonly Plugin[], id: string): readonly Plugin[] {
  if (!action.isForUnknown) return plugins;
  const knowing = plugins.filter(({ workers }) => workers?.knowsWorker(id));
  return knowing.length > 0 ? knowing : plugins;
}
