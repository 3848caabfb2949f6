import type { AnyElysia } from "elysia";
import * as v from "valibot";
import type { Caller } from "../auth/caller.ts";
import { Fault } from "../errors.ts";
import type { Visit } from "../http/visit.ts";
import { API_KEY_SECURITY, doc, errorResponses } from "../openapi/schema.ts";
import type { ModelCard } from "../plugin/contract.ts";
import { createRoutes, type RouteContext } from "../plugin/route-context.ts";

const modelSchema = v.pipe(
  v.object({
    id: v.string(),
    object: v.literal("model"),
    created: v.pipe(v.number(), v.description("When this server first saw the model, in seconds since 1970.")),
    owned_by: v.string(),
  }),
  v.description("The model."),
);
const listSchema = v.pipe(
  v.object({ object: v.literal("list"), data: v.array(modelSchema) }),
  v.description("Every known model that the caller may use, sorted by id."),
);

export interface ModelRoutesOptions {
  /** The base path: `/v1` gives `/v1/models` and `/v1/models/{id}`. */
  readonly prefix: string;
  readonly tag: string;
  readonly cards: (ctx: RouteContext) => readonly ModelCard[];
  /** Returns the caller of a request; throws a `Fault` for a request without access. */
  readonly ask: (visit: Visit) => Caller;
}

/**
 * `GET …/models` and `GET …/models/{id}`, answered from memory. Ids may hold `/` and `:`, raw or percent-encoded. A caller
 * sees the models that it may use; others do not exist for it.
 */
export function modelRoutes({ prefix, tag, cards, ask }: ModelRoutesOptions): AnyElysia {
  const visible = (ctx: RouteContext): readonly ModelCard[] => {
    const caller = ask(ctx.visit);
    return cards(ctx).filter(({ id }) => caller.may(id));
  };
  const list = (ctx: RouteContext): Response =>
    Response.json({ object: "list", data: visible(ctx) }, { headers: NO_CACHE });
  const one = (ctx: RouteContext, id: string): Response => {
    const card = visible(ctx).find((candidate) => candidate.id === id);
    if (!card)
      throw new Fault("model_not_found", {
        message: `The model '${id.slice(0, 128)}' does not exist here.`,
        param: "model",
      });
    return Response.json(card, { headers: NO_CACHE });
  };
  const detail = { tags: [tag], security: API_KEY_SECURITY };
  return createRoutes()
    .get(`${prefix}/models`, ({ visit, params }) => list({ visit, params }), {
      response: { 200: doc(listSchema, "output") },
      detail: { ...detail, summary: "List models", responses: errorResponses("invalid_api_key") },
    })
    .get(`${prefix}/models/:id`, ({ visit, params }) => one({ visit, params }, params.id), {
      response: { 200: doc(modelSchema, "output") },
      detail: { ...detail, summary: "Get a model", responses: errorResponses("invalid_api_key", "model_not_found") },
    })
    .get(`${prefix}/models/*`, ({ visit, params }) => one({ visit, params }, decodeOnce(params["*"])), {
      detail: { hide: true },
    });
}

const NO_CACHE = { "cache-control": "no-cache" };

function decodeOnce(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // The text is not percent-encoded, so it is the id itself.
  }
}
