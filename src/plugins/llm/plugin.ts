import { createModelPlugin } from "../../models/model-plugin.ts";
import type { Plugin, PluginContext } from "../../plugin/contract.ts";
import { INFERENCE } from "./openapi.ts";
import { llmRoutes } from "./routes.ts";
import { renderLlmView } from "./view.tsx";

/** Chat, completions, responses, messages, embeddings and related routes, served by workers that dial in. */
export function createLlmPlugin(context: PluginContext): Plugin {
  return createModelPlugin(context, {
    id: "llm",
    tag: INFERENCE,
    section: { label: "Models", render: renderLlmView },
    routes: (area) => llmRoutes(area, context),
  });
}
