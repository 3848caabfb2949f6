import { loadConfig, type Config as ServerConfig } from "../../src/config.ts";
import type { PluginDefinition } from "../../src/plugin/definition.ts";
import { KNOWN_PLUGINS } from "../../src/plugins.ts";
import { deepFreeze } from "../../src/settings/read-settings.ts";
import type { Values } from "../../src/settings/setting.ts";

type Intersection<U> = (U extends unknown ? (each: U) => void : never) extends (all: infer I) => void ? I : never;

/** The configuration with the settings of all known plugins. */
export type Config = ServerConfig & Intersection<Values<(typeof KNOWN_PLUGINS)[number]["settings"]>>;

/** Returns the frozen defaults of the server and these plugins, with overrides, which are not checked against any limit. */
export function defaultConfig(
  overrides: Partial<Config> = {},
  known: readonly PluginDefinition[] = KNOWN_PLUGINS,
): Config {
  const loaded = loadConfig({
    argv: [],
    env: {},
    readFile: () => "",
    version: "",
    knownPlugins: known,
    isTerminal: false,
  });
  if (loaded.kind !== "ready") throw new Error("the defaults are not a valid configuration");
  return deepFreeze({ ...withPluginSettings(loaded.config), ...overrides });
}

/** Casts a configuration that was loaded with the known plugins to the type that has their settings. */
export function withPluginSettings(config: ServerConfig): Config {
  return config as Config; // loadConfig reads the settings of every plugin that it is given
}
