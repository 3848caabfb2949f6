import type { Plugin, PluginContext } from "./plugin/contract.ts";
import { createAsrPlugin } from "./plugins/asr/plugin.ts";
import { createLlmPlugin } from "./plugins/llm/plugin.ts";
import { createMcpPlugin } from "./plugins/mcp/plugin.ts";
import { createTransferPlugin } from "./plugins/transfer/plugin.ts";

/** Every plugin, in the order in which operators see them. The only place that names them. */
const FACTORIES: Readonly<Record<string, (context: PluginContext) => Plugin>> = {
  llm: createLlmPlugin,
  asr: createAsrPlugin,
  mcp: createMcpPlugin,
  transfer: createTransferPlugin,
};

export const KNOWN_PLUGINS: readonly string[] = Object.keys(FACTORIES);

/** The plugins that the configuration asks for. */
export function createPlugins(context: PluginContext): readonly Plugin[] {
  return Object.entries(FACTORIES)
    .filter(([id]) => context.config.plugins.includes(id))
    .map(([, create]) => create(context));
}
