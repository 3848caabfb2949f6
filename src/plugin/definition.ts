import type { Table } from "../settings/setting.ts";
import type { NoSettings, Plugin, PluginContext } from "./contract.ts";

/** A plugin before it is built: what the configuration must know of it, and how a server makes it. */
export interface PluginDefinition<S extends Table = Table> {
  /** In `PLUGINS`, in URLs and in the State API: lower-case letters. */
  readonly id: string;
  /** The plugin's own settings. They are valid whether or not `PLUGINS` switches the plugin on. */
  readonly settings: S;
  /** Builds the plugin. `context.config` MUST have been loaded with the plugin's settings. */
  create(context: Omit<PluginContext, "id">): Plugin;
}

interface PluginParts<S extends Table> {
  readonly id: string;
  readonly settings?: S;
  /** Called once for each server, with the plugin's own settings in `context.config`. */
  readonly create: (context: PluginContext<S>) => Omit<Plugin, "id">;
}

/** Defines a plugin: `create` gets the configuration with the plugin's own settings in it. */
export function definePlugin<S extends Table = NoSettings>({
  id,
  settings,
  create,
}: PluginParts<S>): PluginDefinition<S> {
  const own = settings ?? ({} as S); // without settings S is NoSettings, of which this is one
  return {
    id,
    settings: own,
    create(context) {
      for (const key of Object.keys(own))
        if (!(key in context.config)) throw new Error(`the configuration lacks the setting ${key} of the plugin ${id}`);
      const config = context.config as PluginContext<S>["config"]; // its own settings are there, as was just checked
      return { id, ...create({ ...context, id, config }) };
    },
  };
}
