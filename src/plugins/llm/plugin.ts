import { createModelPlugin } from "../../models/model-plugin.ts";
import { definePlugin } from "../../plugin/definition.ts";
import { INFERENCE } from "./openapi.ts";
import { llmRoutes } from "./routes.ts";
import { llmSettings } from "./settings.ts";
import { LLM_SECTION } from "./view.tsx";

/** Chat, completions, responses, messages, embeddings and related routes, served by workers that dial in. */
export const llmPlugin = definePlugin({
  id: "llm",
  settings: llmSettings,
  create: (context) =>
    createModelPlugin(context, {
      tag: INFERENCE,
      section: LLM_SECTION,
      routes: (area) => llmRoutes(area, context),
    }),
});
