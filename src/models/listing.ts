import type { AnyElysia } from "elysia";
import * as v from "valibot";
import type { Caller } from "../auth/caller.ts";
import type { Visit } from "../http/visit.ts";
import { API_KEY_SECURITY, doc, errorResponses } from "../openapi/schema.ts";
import type { ModelCard, ModelCatalog } from "../plugin/contract.ts";
import { createRoutes, type RouteContext } from "../plugin/route-context.ts";
import { mayUse } from "../pool/may-use.ts";
import { modelNotListedFault } from "../pool/pool-faults.ts";

const optional = <T extends v.GenericSchema>(schema: T, text: string) =>
  v.optional(v.pipe(schema, v.description(text)));

const modelSchema = v.pipe(
  v.object({
    id: v.string(),
    object: v.literal("model"),
    created: v.pipe(
      v.number(),
      v.description(
        "When the model was first seen, by this server or another one of its cluster, in seconds since 1970.",
      ),
    ),
    owned_by: v.string(),
    type: optional(
      v.string(),
      "What the model is for: `chat`, `embedding`, `rerank`, `transcription` or another word.",
    ),
    context_length: optional(
      v.number(),
      "Tokens that one request may have, input and output together; the smallest of the workers that serve the model.",
    ),
    max_model_len: optional(v.number(), "The same as `context_length`, under vLLM's name."),
    max_context_length: optional(v.number(), "Tokens that the model could take if its worker let it."),
    architecture: optional(
      v.object({
        input_modalities: v.optional(v.array(v.string())),
        output_modalities: v.optional(v.array(v.string())),
      }),
      "What the model reads and writes: `text`, `image`, `audio`.",
    ),
    status: optional(
      v.object({ value: v.string() }),
      "Whether a worker has the model in memory: `loaded`, or a word of its model server's own.",
    ),
  }),
  v.description("The model. What its workers do not say is left out."),
);
const listSchema = v.pipe(
  v.object({ object: v.literal("list"), data: v.array(modelSchema) }),
  v.description("Every model that is served now and that the caller may use, sorted by id."),
);

export interface ModelRoutesOptions {
  /** The base path: `/v1` gives `/v1/models` and `/v1/models/{id}`. */
  readonly prefix: string;
  readonly tag: string;
  readonly catalog: (ctx: RouteContext) => ModelCatalog;
  /** Returns the caller of a request; throws a `Fault` for a request without access. */
  readonly ask: (visit: Visit) => Caller;
}

/**
 * `GET …/models` and `GET …/models/{id}`, answered from memory. Ids may hold `/` and `:`, raw or percent-encoded, and the
 * second route also takes the other names that requests may use. A caller sees the models that it may use; others do not
 * exist for it.
 */
export function modelRoutes({ prefix, tag, catalog, ask }: ModelRoutesOptions): AnyElysia {
  const visible = (ctx: RouteContext, caller: Caller): readonly ModelCard[] =>
    catalog(ctx)
      .models(caller.tenant)
      .filter(({ id }) => mayUse(caller, id));
  const list = (ctx: RouteContext): Response => {
    const caller = ask(ctx.visit);
    return Response.json({ object: "list", data: visible(ctx, caller) }, { headers: NO_CACHE });
  };
  const one = (ctx: RouteContext, name: string): Response => {
    const caller = ask(ctx.visit);
    const card = mayUse(caller, name) ? catalog(ctx).find(name, caller.tenant) : undefined;
    if (card) return Response.json(card, { headers: NO_CACHE });
    throw modelNotListedFault(
      name,
      visible(ctx, caller).map(({ id }) => id),
    );
  };
  const detail = { tags: [tag], security: API_KEY_SECURITY };
  return createRoutes()
    .get(`${prefix}/models`, ({ visit, params }) => list({ visit, params }), {
      response: { 200: doc(listSchema, "output") },
      detail: { ...detail, summary: "List models", responses: errorResponses("invalid_api_key") },
    })
    .get(`${prefix}/models/:id`, ({ visit, params }) => one({ visit, params }, params.id), {
      response: { 200: doc(modelSchema, "output") },
      detail: {
        ...detail,
        summary: "Get a model",
        description:
          "The id may be any name that a request may use: `llama3` for `llama3:latest`, or `llama3:8b` for `llama3:8b-instruct-q4_K_M`. The answer is the model that would serve the request now.",
        responses: errorResponses("invalid_api_key", "model_not_found"),
      },
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
