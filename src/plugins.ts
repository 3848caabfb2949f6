import type { Plugin, PluginContext } from "./plugin/contract.ts";
import type { PluginDefinition } from "./plugin/definition.ts";
import { asrPlugin } from "./plugins/asr/plugin.ts";
import { llmPlugin } from "./plugins/llm/plugin.ts";
import { mcpPlugin } from "./plugins/mcp/plugin.ts";
import { transferPlugin } from "./plugins/transfer/plugin.ts";

/** All plugins, in the order in which operators see them. No other place in the core names a plugin. */
export const KNOWN_PLUGINS = [llmPlugin, asrPlugin, mcpPlugin, transferPlugin] as const;

/** The known plugins that the configuration enables. */
export function createPlugins(
  known: readonly PluginDefinition[],
  context: Omit<PluginContext, "id">,
): readonly Plugin[] {
  return known.filter(({ id }) => context.config.plugins.includes(id)).map((definition) => definition.create(context));
}
