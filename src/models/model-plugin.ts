import type { AnyElysia } from "elysia";
import type { ApiTag, Plugin, PluginContext, Section } from "../plugin/contract.ts";
import { createRoutes } from "../plugin/route-context.ts";
import { createAnswerSpool } from "../plugin/shared-spool.ts";
import { workerRoutes } from "../plugin/worker-routes.ts";
import type { AnswerSpool } from "../tunnel/overflow.ts";
import { modelRoutes } from "./listing.ts";
import { ModelArea } from "./model-area.ts";

export interface ModelPluginOptions {
  /** The heading of the plugin's routes in the API's description. */
  readonly tag: ApiTag;
  readonly section: Section;
  /** The type in `/v1/models` of models whose workers name none: `transcription`. */
  readonly modelType?: string;
  /** Returns the routes for clients, with full paths. The workers' route and the list of models are added. */
  readonly routes: (area: ModelArea) => AnyElysia;
}

/**
 * A plugin whose workers serve models: they connect at `/api/{id}/connect`, and `/api/{id}/v1/models` lists what they
 * serve. Its pool, queue, counts and metrics are those of a `ModelArea`.
 */
export function createModelPlugin(context: PluginContext, options: ModelPluginOptions): Omit<Plugin, "id"> {
  const { tag, section, routes, modelType } = options;
  const { id, auth } = context;
  const createSpool = (): AnswerSpool => createAnswerSpool(context.spoolSpace());
  const area = new ModelArea({ pluginId: id, ...context, modelType, createSpool });
  return {
    tags: [tag],
    section,
    routes: createRoutes()
      .use(workerRoutes(id, area, context))
      .use(routes(area))
      .use(
        modelRoutes({
          prefix: `/api/${id}/v1`,
          tag: tag.name,
          catalog: () => area,
          ask: (visit) => auth.ask(visit, "api"),
        }),
      ),
    reports: area,
    catalog: area,
    workers: area.workers,
    jobs: area,
    details: area.details,
    lifecycle: area,
  };
}
