import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { isServiceVerb, type ServiceVerb } from "../service/service-verb.ts";
import type { Remark } from "../settings/former-names.ts";
import { EXIT_CONFIG } from "../settings/read-settings.ts";
import { systemClock } from "../system/clock.ts";
import type { Deps, Log } from "../system/deps.ts";
import { systemIds } from "../system/ids.ts";
import { createLog } from "../system/log.ts";
import { toLogFile } from "../system/log-file.ts";
import { createLogWriter, toStdout, type Write } from "../system/log-writer.ts";
import { surviveSignals } from "../system/signals.ts";
import { VERSION } from "../system/version.ts";
import { loadWorkerSettings, type WorkerSettings } from "./args.ts";
import { mayPassFetchLimit } from "./fetch-limit.ts";
import { IdentityFault } from "./identity-file.ts";
import { KIND_NAMES } from "./kinds.ts";
import { watchVersion } from "./update/watch-version.ts";
import { startWorker, type Worker, type WorkerOptions } from "./worker.ts";

/**
 * Runs a worker in this process: reads the settings, connects to the server and stops in order on SIGTERM or SIGINT.
 * `argv` begins after the program's name. With `doctor` as its first word it runs the doctor instead, and with `install`,
 * `uninstall` or `status` it does that to a service. Settings that are not valid end the process with `EXIT_CONFIG`.
 */
export function runWorker(argv: readonly string[]): void {
  if (argv[0] === "doctor") return void doctor(argv.slice(1));
  if (isServiceVerb(argv[0])) return void service(argv[0], argv.slice(1));
  const loaded = loadWorkerSettings({
    argv,
    env: process.env,
    readFile: (path) => readFileSync(path, "utf8"),
    version: VERSION,
    knownKinds: KIND_NAMES,
    hostname: hostname(),
    isTerminal: process.stdout.isTTY === true,
  });
  if (loaded.kind === "print") {
    process.stdout.write(`${loaded.text}\n`);
    process.exit(0);
  }
  if (loaded.kind === "faults") {
    process.stderr.write(`The settings are not valid:\n${loaded.faults.map((fault) => `  - ${fault}\n`).join("")}`);
    process.exit(EXIT_CONFIG);
  }
  serve(loaded.config, loaded.remarks, argv);
}

async function service(verb: ServiceVerb, argv: readonly string[]): Promise<void> {
  // Loaded only on demand, as the doctor is.
  const { runService } = await import("../service/program.ts");
  await runService(verb, argv, process.env);
}

async function doctor(argv: readonly string[]): Promise<void> {
  surviveSignals();
  // Loaded only on demand: a worker that serves jobs does not need it.
  const { runDoctor } = await import("../doctor/program.ts");
  const code = await runDoctor(
    { argv, env: process.env, readFile: (path) => readFileSync(path, "utf8") },
    { out: (text) => process.stdout.write(text), err: (text) => process.stderr.write(text) },
  );
  process.exit(code);
}

function serve(settings: WorkerSettings, remarks: readonly Remark[], argv: readonly string[]): void {
  const writer = createLogWriter(systemClock, openLog(settings));
  process.on("exit", () => writer.flush());
  const log = createLog({
    level: settings.logLevel,
    format: settings.logFormat,
    write: writer.write,
    now: Date.now,
  });
  for (const { name, hint } of remarks) log.warn("setting.ignored", { name, hint });
  log.info("worker.started", {
    version: VERSION,
    kinds: settings.kinds.join(","),
    server: settings.server,
    name: settings.name,
  });
  warnAboutFetchLimit(settings, log);
  // Tables and curl lines go to stderr: programs that read the log from stdout expect one JSON value per line.
  const print = (text: string): boolean => process.stderr.write(`\n${text}\n\n`);
  let stopping = false;
  // A signal that comes while the worker ends for an update ends the process.
  const stopForUpdate = async (): Promise<void> => {
    await worker.stop();
    if (stopping) await new Promise<never>(() => {});
  };
  const versions = watchVersion(settings, log, argv, { stop: stopForUpdate, flush: () => writer.flush() });
  const worker = start(
    settings,
    { clock: systemClock, log, ids: systemIds },
    { print, env: process.env, onServerVersion: (version) => versions.handle(version) },
  );

  const stop = (signal: string): void => {
    // A second signal means that the operator does not want to wait for running jobs.
    if (stopping) process.exit(1);
    stopping = true;
    log.info("worker.signal", { signal });
    worker.stop().then(
      () => {
        log.info("worker.stopped");
        process.exit(0);
      },
      (error) => {
        log.error("worker.stop_failed", { reason: error instanceof Error ? error.message : String(error) });
        process.exit(1);
      },
    );
  };
  surviveSignals((signal) =>
    log.info("worker.signal", { signal, effect: "none", hint: "restart the worker to change its settings" }),
  );
  process.on("SIGTERM", () => stop("SIGTERM"));
  process.on("SIGINT", () => stop("SIGINT"));
}

/** Opens where the log goes. Ends the process if that is a file that cannot be written. */
function openLog({ logFile }: WorkerSettings): Write {
  if (logFile === undefined) return toStdout;
  try {
    return toLogFile(logFile);
  } catch (error) {
    const reason = error instanceof Error && "code" in error ? String(error.code) : "unknown reason";
    process.stderr.write(`The settings are not valid:\n  - log_file: ${logFile} cannot be written (${reason})\n`);
    process.exit(EXIT_CONFIG);
  }
}

/** Starts the worker. Ends the process if its identity cannot be kept. */
function start(settings: WorkerSettings, deps: Deps, options: WorkerOptions): Worker {
  try {
    return startWorker(settings, deps, options);
  } catch (error) {
    if (!(error instanceof IdentityFault)) throw error;
    deps.log.error("worker.state_refused", { reason: error.message });
    process.exit(EXIT_CONFIG);
  }
}

/** Warns that Bun runs at most 256 fetches at once and silently queues the rest, unless its variable is set at start. */
function warnAboutFetchLimit(settings: WorkerSettings, log: Log): void {
  if (!mayPassFetchLimit(settings) || process.env["BUN_CONFIG_MAX_HTTP_REQUESTS"] !== undefined) return;
  log.warn("worker.limited", {
    jobs: 256,
    hint: "set BUN_CONFIG_MAX_HTTP_REQUESTS=65336 in the environment, or start with `bun run moorage worker`",
  });
}
