import { resolve } from "node:path";
import { givenSettings } from "../settings/read-settings.ts";
import type { Setting } from "../settings/setting.ts";
import type { WorkerSources } from "../worker/args.ts";
import { Expansion, variablesIn } from "../worker/mcp/expansion.ts";
import { NFRX_AGENTS } from "../worker/nfrx-agents.ts";
import { withProxyVariables } from "../worker/outgoing-proxy.ts";
import { workerTable } from "../worker/worker-table.ts";
import type { Named } from "./service-spec.ts";

/** The settings that a service starts with, whichever way they were given. */
export interface KeptSettings {
  /** In the order of the reference. */
  readonly settings: readonly Named[];
  readonly faults: readonly string[];
}

/**
 * Returns everything that is given by flags, environment and file, by the variables of the settings. A service has another
 * directory and another environment, so paths are absolute and the variables in headers are filled in.
 */
export function keptSettings(sources: WorkerSources, directory: string): KeptSettings {
  const table = workerTable(sources.hostname);
  const env = withProxyVariables(sources.env);
  const given = givenSettings(table, { ...sources, env }, NFRX_AGENTS);
  const expansion = new Expansion(env);
  const faults: string[] = [];
  const settings: Named[] = [];
  for (const [key, setting] of Object.entries<Setting<unknown>>(table)) {
    const written = given.get(key)?.written;
    if (written === undefined) continue;
    const texts = typeof written === "string" ? [written] : written;
    // An item with a comma in it can be told from two items in a YAML list only.
    if (texts.length > 1 && key !== "mcpHeaders" && texts.some((each) => each.includes(",")))
      faults.push(`${setting.yamlKey}: an item has a comma in it, which a service's settings cannot keep apart`);
    const text = texts.join(",").trim();
    settings.push([setting.variable, inOtherPlace(key, setting, text, { directory, expansion })]);
  }
  return { settings, faults: [...faults, ...expansion.faults.map((each) => `mcp_headers: ${each}`)] };
}

function inOtherPlace(
  key: string,
  { kind }: Setting<unknown>,
  text: string,
  { directory, expansion }: { readonly directory: string; readonly expansion: Expansion },
): string {
  if (kind.placeholder === "path") return resolve(directory, text);
  return key === "mcpHeaders" ? expansion.fill(text) : text;
}

/** Whether the value of a setting is never shown. */
export function isSecretVariable(variable: string): boolean {
  return Object.values<Setting<unknown>>(workerTable("")).some((each) => each.variable === variable && each.isSecret);
}

/** Returns the variables that a file of MCP servers refers to and the environment has. */
export function variablesOfFile(text: string, env: Readonly<Record<string, string | undefined>>): readonly Named[] {
  const named = [...variablesIn(text), ...Array.from(text.matchAll(ENV_KEY), ([, name]) => name ?? "")];
  return [...new Set(named)].toSorted().flatMap((name) => {
    const value = env[name];
    return value === undefined || value === "" || name === "HOME" ? [] : [[name, value] as const];
  });
}

/** `auth_token_env: NAME` and `token_env: NAME`, in YAML or JSON. */
const ENV_KEY = /["']?(?:auth_token_env|token_env)["']?\s*:\s*["']?([A-Za-z_]\w*)/g;
