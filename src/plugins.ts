import type { Plugin, PluginContext } from "./plugin/contract.ts";
import type { PluginDefinition } from "./plugin/definition.ts";
import { asrPlugin } from "./plugins/asr/plugin.ts";
import { llmPlugin } from "./plugins/llm/plugin.ts";
import { mcpPlugin } from "./plugins/mcp/plugin.ts";
import { transferPlugin } from "./plugins/transfer/plugin.ts";

/** Every plugin, in the order in which operators see them. The only place in the core that names them. */
export const KNOWN_PLUGINS = [llmPlugin, asrPlugin, mcpPlugin, transferPlugin] as const;

/** The known plugins that the configuration asks for. */
export function createPlugins(
  known: readonly PluginDefinition[],
  context: Omit<PluginContext, "id">,
): readonly Plugin[] {
  return known.filter(({ id }) => context.config.plugins.includes(id)).map((definition) => definition.create(context));
}
