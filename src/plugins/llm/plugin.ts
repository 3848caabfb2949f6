import { ModelArea } from "../../models/model-area.ts";
import type { Plugin, PluginContext } from "../../plugin/contract.ts";
import { llmRoutes } from "./routes.ts";
import { renderLlmView } from "./view.tsx";

/** Chat, completions, responses, messages, embeddings and their kin, served by workers that dial in. */
export function createLlmPlugin(context: PluginContext): Plugin {
  const area = new ModelArea({ pluginId: "llm", ...context });
  return {
    id: "llm",
    routes: llmRoutes(area, context),
    state: () => area.state(),
    revision: () => area.revision,
    pulse: () => area.pulse(),
    problems: () => area.problems(),
    view: renderLlmView,
    operator: area,
    models: () => area.models(),
    drain: () => area.drain(),
    close: () => area.close(),
  };
}
