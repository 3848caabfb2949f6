import { fileURLToPath } from "node:url";
import { type Config, loadConfig } from "../../src/config.ts";
import { KNOWN_PLUGINS } from "../../src/plugins.ts";
import type { Loaded } from "../../src/settings/read-settings.ts";
import { loadWorkerSettings, type WorkerSettings } from "../../src/worker/args.ts";
import { KIND_NAMES } from "../../src/worker/kinds.ts";

export type Env = Readonly<Record<string, string>>;

/** The parts of a service in deploy/compose.yaml that tests read. */
export interface Service {
  readonly image: string;
  readonly command?: readonly string[];
  readonly environment: Env;
  readonly ports?: readonly string[];
  readonly networks: readonly string[];
  readonly tmpfs?: readonly string[];
  readonly volumes?: readonly string[];
  readonly mem_limit?: string;
  readonly read_only?: boolean;
  readonly cap_drop: readonly string[];
  readonly security_opt: readonly string[];
  readonly stop_grace_period?: string;
}

export interface Compose {
  readonly services: Readonly<Record<"server" | "worker" | "ollama", Service>>;
  readonly networks: object;
}

/** The parts of fly.toml that tests read. */
export interface Fly {
  readonly app: string;
  readonly kill_signal: string;
  readonly kill_timeout: number;
  readonly deploy: { readonly strategy: string };
  readonly env: Env;
  readonly http_service: {
    readonly internal_port: number;
    readonly force_https: boolean;
    readonly auto_stop_machines: string;
    readonly min_machines_running: number;
    readonly concurrency: { readonly type: string; readonly soft_limit: number; readonly hard_limit: number };
    readonly checks: readonly { readonly path: string; readonly interval: string }[];
  };
  readonly metrics: { readonly port: number; readonly path: string };
}

/** The values of a systemd unit by key, of which a key may have several. */
export type Unit = ReadonlyMap<string, readonly string[]>;

/** Returns the absolute path of a path relative to the top folder. */
export const pathOf = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

export const read = (path: string): Promise<string> => Bun.file(pathOf(path)).text();

export function parseUnit(text: string): Unit {
  const lines = new Map<string, string[]>();
  for (const [, key = "", value = ""] of text.matchAll(/^(\w+)=(.*)$/gm)) {
    lines.set(key, [...(lines.get(key) ?? []), value]);
  }
  return lines;
}

/** Returns the environment that the unit's `Environment=` lines set for the instance on this port. */
export function environmentOf(unit: Unit, port = 8080): Env {
  const words = (unit.get("Environment") ?? []).flatMap((line) => line.replaceAll("%i", String(port)).split(" "));
  return Object.fromEntries(words.map((word) => word.split(/=(.*)/s).slice(0, 2)));
}

/** Expands `${NAME:-default}` and `${NAME:?message}` as Compose does with only the variables in `given`. */
export function filledIn(environment: Env, given: Env): Env {
  const fill = (text: string): string =>
    text.replace(/\$\{(\w+):([-?])([^}]*)\}/g, (_, name: string, sign: string, rest: string) => {
      const value = given[name] ?? (sign === "-" ? rest : undefined);
      if (value === undefined) throw new Error(`${name} is not set`);
      return value;
    });
  return Object.fromEntries(Object.entries(environment).map(([name, value]) => [name, fill(value)]));
}

/** Loads the server's configuration from this environment. Throws if the server would not start. */
export function serverOf(env: Env): Config {
  return ready(
    loadConfig({
      argv: [],
      env,
      readFile: () => "",
      version: "1",
      knownPlugins: KNOWN_PLUGINS,
      isTerminal: false,
    }),
  );
}

/** Loads the worker's settings from this environment. Throws if the worker would not start. */
export function workerOf(env: Env, argv: readonly string[] = ["llm"]): WorkerSettings {
  return ready(
    loadWorkerSettings({
      argv,
      env,
      readFile: () => "",
      version: "1",
      knownKinds: KIND_NAMES,
      hostname: "h",
      isTerminal: false,
    }),
  );
}

function ready<T>(loaded: Loaded<T>): T {
  if (loaded.kind !== "ready") throw new Error(JSON.stringify(loaded));
  return loaded.config;
}
