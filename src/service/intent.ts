import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { EXIT_CONFIG } from "../settings/read-settings.ts";
import { loadWorkerSettings, type WorkerSettings, type WorkerSources } from "../worker/args.ts";
import { identityPath } from "../worker/identity-path.ts";
import { KIND_NAMES, RELAY_KIND } from "../worker/kinds.ts";
import { helpText } from "./help.ts";
import { type InstallRequest, USUAL_NAME } from "./install-args.ts";
import { keptSettings, variablesOfFile } from "./kept-settings.ts";
import type { Placed } from "./placed.ts";
import type { ServiceHost } from "./service-host.ts";
import type { ServiceRecord } from "./service-record.ts";
import type { Named, ServiceSpec } from "./service-spec.ts";

/** What a command line asks to be installed, or a text instead. */
export type Intent =
  | {
      readonly kind: "service";
      readonly spec: ServiceSpec;
      readonly settings: readonly Named[];
      readonly record: ServiceRecord;
      /** Where the worker will keep its own key. */
      readonly stateFile: string | undefined;
      readonly server: string;
      readonly remarks: readonly string[];
    }
  | { readonly kind: "text"; readonly text: string; readonly code: number };

/** The longest drain that a service is given. Some systems take no longer one. */
const MAX_DRAIN_S = 86_400;

/** Reads the words for the worker as the worker itself will, and adds what a service needs beside them. */
export function toIntent({ name, rest }: InstallRequest, placed: Placed, host: ServiceHost): Intent {
  const sources = sourcesOf(rest, host);
  if (rest.length === 0) return { kind: "text", text: helpText(host.version, host.launcher), code: EXIT_CONFIG };
  const loaded = loadWorkerSettings(sources);
  if (loaded.kind === "print") return { kind: "text", text: loaded.text, code: 0 };
  if (loaded.kind === "faults") return wrong(loaded.faults);
  const kept = keptSettings(sources, host.directory);
  if (kept.faults.length > 0) return wrong(kept.faults);
  const { config } = loaded;
  const settings = withPlaces(kept.settings, { name, config, placed });
  const drainS = Math.ceil(Math.min(config.drainTimeoutMs / 1000, MAX_DRAIN_S));
  const secret = config.mcpServers === undefined ? [] : variablesOfFile(readText(config.mcpServers), host.machine.env);
  const isOfNobody = placed.system === "systemd" && placed.scope === "system" && placed.runAs === undefined;
  const given = new Map(settings);
  const words = [...host.program.words(placed.places.base), ...config.kinds];
  const [program = "", ...others] = words;
  const needsConfig = placed.system !== "systemd";
  const spec: ServiceSpec = {
    name,
    scope: placed.scope,
    words: [program, ...others, ...(needsConfig ? ["--config", placed.places.settings] : [])],
    // A command for an MCP server may name files of the directory in which it was typed.
    directory: config.mcpCommand !== undefined && !isOfNobody ? host.directory : undefined,
    runAs: placed.runAs,
    drainS,
    environment: environmentOf(placed, host, secret),
  };
  const state = given.get("STATE_FILE");
  const stateFile = state ?? stateFileOf(name, config, placed, host);
  const record: ServiceRecord = {
    format: 1,
    kinds: [...config.kinds],
    server: config.server,
    ...(placed.runAs === undefined ? {} : { run_as: placed.runAs }),
    ...(spec.directory === undefined ? {} : { directory: spec.directory }),
    drain_s: drainS,
    ...(stateFile === undefined ? {} : { state_file: stateFile }),
  };
  return {
    kind: "service",
    spec,
    settings,
    record,
    stateFile,
    server: config.server,
    remarks: remarksOn({ isOfNobody, config, placed, secret }),
  };
}

function sourcesOf(argv: readonly string[], { machine, hostname, version }: ServiceHost): WorkerSources {
  return {
    argv,
    env: machine.env,
    readFile: (path) => readFileSync(path, "utf8"),
    version,
    knownKinds: KIND_NAMES,
    hostname,
    isTerminal: false,
  };
}

function wrong(faults: readonly string[]): Intent {
  const text = `The settings are not valid:\n${faults.map((fault) => `  - ${fault}\n`).join("")}`;
  return { kind: "text", text: text.trimEnd(), code: EXIT_CONFIG };
}

function readText(path: string): string {
  return readFileSync(path, "utf8");
}

interface Placing {
  readonly name: string;
  readonly config: WorkerSettings;
  readonly placed: Placed;
}

/** Adds where the worker keeps its key and its log, unless that is given or the system says it. */
function withPlaces(settings: readonly Named[], { name, config, placed }: Placing): readonly Named[] {
  const { system, scope, places } = placed;
  const given = new Set(settings.map(([variable]) => variable));
  const more: Named[] = [];
  if (!given.has("STATE_FILE")) {
    // Two workers of one user would otherwise share one key and one id.
    if (scope === "user" && name !== USUAL_NAME)
      more.push(["STATE_FILE", join(dirname(config.stateFile ?? join(places.base, "state")), `${name}.json`)]);
    if (system === "launchd" && scope === "system") more.push(["STATE_FILE", join(places.base, "state.json")]);
  }
  if (places.log !== undefined && !given.has("LOG_FILE")) more.push(["LOG_FILE", places.log]);
  return [...settings, ...more];
}

/** Returns where the worker keeps its key by itself. */
function stateFileOf(
  name: string,
  { server, id, stateFile }: WorkerSettings,
  { system, scope }: Placed,
  { machine }: ServiceHost,
): string | undefined {
  if (scope === "user" || system !== "systemd") return stateFile;
  const env = { STATE_DIRECTORY: `/var/lib/${name}` };
  return identityPath({ stateFile: undefined, server, id }, { platform: machine.platform, env, home: homedir() });
}

function environmentOf({ system }: Placed, { machine }: ServiceHost, secret: readonly Named[]): readonly Named[] {
  // A task of Windows has the variables of its user.
  if (system === "windows") return [];
  const plain = ["PATH", "NODE_EXTRA_CA_CERTS"].flatMap((name) => {
    const value = name === "PATH" ? lastingPath(machine.env[name] ?? "") : machine.env[name];
    return value === undefined || value === "" ? [] : [[name, value] as const];
  });
  const names = new Set(plain.map(([name]) => name));
  return [
    ...plain,
    // Bun reads this before the program starts.
    ["BUN_CONFIG_MAX_HTTP_REQUESTS", "65336"],
    ...secret.filter(([name]) => !names.has(name)),
  ];
}

/** Leaves out what npx and `bun run` put before the directories of the user. */
function lastingPath(path: string): string {
  const isOfPackages = (directory: string): boolean =>
    /[/]node_modules[/]|[/](?:_npx|bunx?-node-[^/]*|node-gyp-bin)(?:[/]|$)/.test(directory);
  return path
    .split(":")
    .filter((directory) => !isOfPackages(directory))
    .join(":");
}

interface Remarked {
  readonly isOfNobody: boolean;
  readonly config: WorkerSettings;
  readonly placed: Placed;
  readonly secret: readonly Named[];
}

function remarksOn({ isOfNobody, config, placed: { system, scope }, secret }: Remarked): readonly string[] {
  const names = secret.map(([name]) => name).join(", ");
  return [
    ...(isOfNobody && config.kinds.includes(RELAY_KIND)
      ? [
          "the service has a user of its own, which sees no home directories and writes only to its own. For MCP servers that need your files, add --run-as USER.",
        ]
      : []),
    ...(isOfNobody && config.mcpServers !== undefined
      ? [`the service's user must be able to read ${config.mcpServers}, which is not below /home or /root.`]
      : []),
    ...(names !== "" && system === "windows"
      ? [
          `the task gets its variables from Windows. Set these for your user, with \`setx\`, before it starts: ${names}.`,
        ]
      : []),
    ...(names !== "" && system === "launchd" && scope === "system"
      ? [
          `launchd shows a daemon's variables to everybody on this Mac, among them ${names}. Write these values into the servers file instead.`,
        ]
      : []),
  ];
}
