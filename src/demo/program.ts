import { createApp } from "../app.ts";
import { type Config, loadConfig } from "../config.ts";
import { type Listening, listen } from "../listen.ts";
import { packageTarball } from "../packing/tarball.ts";
import { KNOWN_PLUGINS } from "../plugins.ts";
import { EXIT_CONFIG } from "../settings/read-settings.ts";
import { shutDown } from "../shutdown.ts";
import { systemClock } from "../system/clock.ts";
import type { Deps } from "../system/deps.ts";
import { systemIds } from "../system/ids.ts";
import { launcherWords } from "../system/launcher.ts";
import { ListenError } from "../system/listen-fault.ts";
import { createLog } from "../system/log.ts";
import { surviveSignals } from "../system/signals.ts";
import { VERSION } from "../system/version.ts";
import { chooseBackend, findBackends, withoutServer } from "../worker/find-backends.ts";
import { llmKind } from "../worker/llm.ts";
import type { Worker } from "../worker/worker.ts";
import { parseDemoArgs } from "./args.ts";
import { guide, type ShownBackend } from "./guide.ts";
import { type DemoKeys, DemoKeysFault, demoKeysAt, newDemoKeys } from "./keys.ts";
import { recordingPath } from "./recording.ts";
import {
  SAMPLE_CHAT_MODEL,
  SAMPLE_EMBED_MODEL,
  SAMPLE_TRANSCRIBE_MODEL,
  type SampleBackend,
  startSampleBackend,
} from "./sample-backend.ts";
import { startSampleMcp } from "./sample-mcp.ts";
import { startProgram } from "./start-program.ts";

/** The port in the README; another free one is used if it is taken. */
const USUAL_PORT = "8080";

/** Runs the demo until a signal ends it, or prints what its command line asks for. `argv` begins after the word `demo`. */
export async function runDemo(argv: readonly string[]): Promise<void> {
  const request = parseDemoArgs(argv, VERSION, launcherWords(process.env));
  switch (request.kind) {
    case "run":
      await startDemo(keysOf(request.keysFile));
      break;
    case "run cluster":
      // This is loaded on demand, because the demo of one server needs none of it.
      await (await import("./cluster/program.ts")).runClusterDemo(request.servers);
      break;
    case "run samples":
      (await import("./samples.ts")).runSamples(process.env);
      break;
    case "print":
      process.stdout.write(`${request.text}\n`);
      break;
    case "fault":
      process.stderr.write(`${request.text}\n`);
      process.exitCode = EXIT_CONFIG;
      break;
    default:
      request satisfies never;
  }
}

/**
 * Starts server, workers and a model server on this machine, connected by real sockets on the loopback. It uses the language
 * models of a real model server if one answers on its usual port; the built-in sample replaces whatever is missing.
 */
async function startDemo(keys: DemoKeys): Promise<void> {
  surviveSignals();
  const deps: Deps = {
    clock: systemClock,
    ids: systemIds,
    log: createLog({
      level: "warn",
      format: "pretty",
      write: (line) => process.stderr.write(`${line}\n`),
      now: Date.now,
    }),
  };
  const { listening, config, stopServer } = startServer(keys, deps);
  const sample = startSampleBackend();
  const backend = await findBackend(listening.url, sample);
  const hasAudio = config.plugins.includes("asr");
  const start = (kind: string, backendUrl: string, models: readonly string[]): Worker =>
    startDemoWorker({ kind, config, serverUrl: listening.url, backendUrl, models }, deps);
  const hasMcp = config.plugins.includes("mcp");
  const mcp = startSampleMcp();
  const workers = [
    start("llm", backend.url, backend.models),
    ...(hasAudio ? [start("asr", sample.url, [SAMPLE_TRANSCRIBE_MODEL])] : []),
    ...(hasMcp ? [startDemoRelay(config, listening.url, mcp.url, deps)] : []),
  ];
  await Promise.all(workers.map((worker) => worker.registered));
  process.stdout.write(
    guide({
      url: listening.url,
      apiKey: config.apiKeys[0] ?? "",
      clientKey: config.clientKeys[0] ?? "",
      backend,
      transcribeModel: hasAudio ? SAMPLE_TRANSCRIBE_MODEL : undefined,
      relayId: hasMcp ? DEMO_RELAY : undefined,
      launcher: launcherWords(process.env),
      recording: recordingPath(),
    }),
  );

  let stopping = false;
  const stop = (): void => {
    if (stopping) process.exit(1);
    stopping = true;
    process.stdout.write("\nStopping.\n");
    void Promise.all(workers.map((worker) => worker.stop()))
      .then(stopServer)
      .then(() => Promise.all([sample.stop(), mcp.stop()]))
      .then(() => process.exit(0));
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
  // Its terminal was closed. A demo that nobody sees would keep its ports.
  process.on("SIGHUP", stop);
}

/** Returns the keys of the file that was named, else new ones. Ends the process if that file cannot be used. */
function keysOf(path: string | undefined): DemoKeys {
  if (path === undefined) return newDemoKeys();
  try {
    return demoKeysAt(path);
  } catch (error) {
    if (!(error instanceof DemoKeysFault)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(EXIT_CONFIG);
  }
}

interface StartedServer {
  readonly listening: Listening;
  readonly config: Config;
  readonly stopServer: () => Promise<void>;
}

/** Starts the server on the port that is wanted, and on any free one if that is taken. */
function startServer({ apiKey, clientKey }: DemoKeys, deps: Deps): StartedServer {
  const env = { API_KEY: apiKey, CLIENT_KEY: clientKey, HOST: "127.0.0.1", DRAIN_TIMEOUT: "2s" };
  const open = (port: string): StartedServer => {
    const config = configOf({ ...env, PORT: port });
    const app = createApp(config, deps, { pack: packageTarball });
    try {
      const listening = listen(app, config);
      return { listening, config, stopServer: () => shutDown(app, listening, config, deps) };
    } catch (error) {
      app.close();
      throw error;
    }
  };
  const wanted = process.env["PORT"] || USUAL_PORT;
  try {
    return open(wanted);
  } catch (error) {
    if (!(error instanceof ListenError)) throw error;
    const { reason, hint, isTaken } = error.fault;
    if (!isTaken) {
      process.stderr.write(`The demo does not start: ${reason}${hint === undefined ? "" : `; ${hint}`}.\n`);
      process.exit(1);
    }
    const started = open("0");
    // The usual port is taken most often by llama.cpp, whose default is the same.
    process.stdout.write(`Port ${wanted} is taken by another program; using ${started.listening.port}.\n`);
    return started;
  }
}

/** The server's configuration from these variables alone. */
function configOf(env: Readonly<Record<string, string>>): Config {
  const loaded = loadConfig({
    argv: [],
    env,
    readFile: () => "",
    version: "",
    knownPlugins: KNOWN_PLUGINS,
    isTerminal: false,
  });
  if (loaded.kind !== "ready") {
    const faults = loaded.kind === "faults" ? loaded.faults : [];
    process.stderr.write(`The demo does not start:\n${faults.map((fault) => `  - ${fault}\n`).join("")}`);
    process.exit(EXIT_CONFIG);
  }
  return loaded.config;
}

interface DemoBackend extends ShownBackend {
  readonly url: string;
  /** The only models to offer; if empty, all of them. */
  readonly models: readonly string[];
}

async function findBackend(serverUrl: string, sample: SampleBackend): Promise<DemoBackend> {
  const usual = { places: withoutServer(llmKind.places, serverUrl), probe: llmKind.probe };
  const found = chooseBackend(await findBackends(usual, undefined, new AbortController().signal));
  const model = found?.models[0];
  if (found && model !== undefined) {
    return {
      url: found.base,
      name: `${found.family ?? "model server"} at ${found.base}`,
      chatModel: model,
      embedModel: undefined,
      models: [],
    };
  }
  return {
    url: sample.url,
    name: "the built-in sample (not a language model: it repeats the question)",
    chatModel: SAMPLE_CHAT_MODEL,
    embedModel: SAMPLE_EMBED_MODEL,
    models: [SAMPLE_CHAT_MODEL, SAMPLE_EMBED_MODEL],
  };
}

interface DemoWorker {
  readonly kind: string;
  readonly config: Config;
  readonly serverUrl: string;
  readonly backendUrl: string;
  readonly models: readonly string[];
}

function startDemoWorker({ kind, config, serverUrl, backendUrl, models }: DemoWorker, deps: Deps): Worker {
  const only = models.length === 0 ? [] : ["--models", models.join(",")];
  return startProgram(
    [kind, "--backend", backendUrl, ...only, "--name", "demo-worker", "--max-concurrency", "4"],
    { url: serverUrl, clientKey: config.clientKeys[0] ?? "" },
    deps,
  );
}

/** The id of the demo's relay, which is in its URL. */
const DEMO_RELAY = "demo";

function startDemoRelay(config: Config, serverUrl: string, mcpUrl: string, deps: Deps): Worker {
  return startProgram(
    ["mcp", "--url", mcpUrl, "--id", DEMO_RELAY, "--name", "demo-relay"],
    { url: serverUrl, clientKey: config.clientKeys[0] ?? "" },
    deps,
  );
}
