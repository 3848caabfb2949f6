import type { AnyElysia } from "elysia";
import * as v from "valibot";
import type { Audit } from "../audit/audit.ts";
import type { Auth } from "../auth/auth.ts";
import { type ErrorCode, Fault } from "../errors.ts";
import { errorResponses, jsonAnswer, STATE_SECURITY } from "../openapi/schema.ts";
import type { ClusterPorts } from "../plugin/cluster.ts";
import type { Plugin } from "../plugin/contract.ts";
import { createRoutes, type RouteContext } from "../plugin/route-context.ts";
import type { Log } from "../system/deps.ts";
import type { KeyMask } from "../system/key-mask.ts";
import { ACTIONS, carryOut, type Target, targetsOf } from "./actions.ts";
import { type ActionOrder, type ActionResult, ClusterActions, MAX_LOGGED_ID_CHARS } from "./cluster-actions.ts";

export interface ActionOptions {
  readonly auth: Auth;
  /** Writes down what operators do; undefined if nobody does. */
  readonly audit?: Audit | undefined;
  readonly log: Log;
  /** Knows which ids are keys that were pasted in their place. */
  readonly mask: KeyMask;
  readonly plugins: readonly Plugin[];
  /** The other servers; undefined for a server without a cluster. */
  readonly cluster?: ClusterPorts | undefined;
}

const answerSchema = v.object({
  id: v.string(),
  action: v.picklist(ACTIONS.map(({ name }) => name)),
  status: v.literal("ok"),
  plugins: v.pipe(v.array(v.string()), v.description("The plugins that knew the id.")),
  servers: v.pipe(v.optional(v.array(v.string())), v.description("In a cluster: the servers that have acted.")),
  unanswered: v.pipe(
    v.optional(v.array(v.string())),
    v.description(
      "In a cluster: servers that have not answered in time. None of them has the worker, but a drain or a block may not hold there.",
    ),
  ),
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
const IS_KEY = "This is a key, and not the id of a worker or a job. It is not written down anywhere.";
const NOT_FOUND: Readonly<Record<Target, ErrorCode>> = { worker: "worker_not_found", job: "job_not_found" };
/** The token of a server that asks for no key; the page renews it as it would any other. */
const OPEN_EXPIRES_IN_S = 300;
const NO_STORE = { headers: { "cache-control": "no-store" } };

/** Routes for operators' actions, and for the token with which the dashboard calls the public API. */
export function actionRoutes({ auth, audit, log, mask, plugins, cluster }: ActionOptions): AnyElysia {
  const routes = createRoutes();
  const clusterActions = cluster && new ClusterActions({ cluster, plugins, log });
  const pluginNamedBy = (request: Request): Plugin | undefined => {
    const name = URL.parse(request.url)?.searchParams.get("plugin") ?? null;
    if (name === null) return undefined;
    const named = plugins.find((plugin) => plugin.id === name);
    if (named) return named;
    throw new Fault("invalid_request", { message: "This server has no such plugin.", param: "plugin" });
  };
  const run = async (order: ActionOrder): Promise<ActionResult> =>
    clusterActions
      ? clusterActions.carryOut(order)
      : { plugins: carryOut(order.action, order.plugins, order.id, order.by) };
  for (const action of ACTIONS) {
    const serve = async ({ visit, params }: RouteContext): Promise<Response> => {
      const caller = auth.operators.act(visit);
      const id = params?.["id"] ?? "";
      // It would be kept and shown as the id that is blocked.
      if (mask.apply(id) !== id) throw new Fault("invalid_request", { message: IS_KEY, param: "id" });
      const logged = (done: readonly string[], outcome: string, unanswered?: readonly string[]): void => {
        const address = auth.addressOf(visit);
        const names = { plugins: done.join(","), unanswered: unanswered?.join(",") || undefined };
        // What has done nothing is no act, but one without an answer may be.
        if (outcome !== "not_found")
          audit?.note({
            who: caller.name,
            address,
            what: `${action.target}.${action.name}`,
            about: id,
            detail: { ...names, outcome },
          });
        log.info("operator.action", {
          request: visit.requestId,
          caller: caller.name,
          address,
          action: action.name,
          target: `${action.target} ${id.slice(0, MAX_LOGGED_ID_CHARS)}`,
          ...names,
          outcome,
        });
      };
      const named = pluginNamedBy(visit.request);
      let result: ActionResult;
      try {
        result = await run({
          action,
          id,
          plugins: targetsOf(action, named ? [named] : plugins, id),
          by: caller.name,
          requestId: visit.requestId,
        });
      } catch (error) {
        if (error instanceof Fault && error.code === "server_not_answering") logged([], "unknown");
        throw error;
      }
      const { plugins: done, unanswered } = result;
      logged(done, done.length > 0 ? "done" : "not_found", unanswered);
      if (done.length === 0) throw new Fault(NOT_FOUND[action.target]);
      return Response.json({ id, action: action.name, status: "ok", ...result }, NO_STORE);
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
            "viewer_not_allowed",
            NOT_FOUND[action.target],
            "too_many_auth_failures",
            "server_not_answering",
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
          ...errorResponses("invalid_api_key", "origin_not_allowed", "viewer_not_allowed", "too_many_auth_failures"),
        },
      },
    },
  );
}
