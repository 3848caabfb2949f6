import type { Log } from "../../system/deps.ts";
import { launcherWords } from "../../system/launcher.ts";
import { VERSION } from "../../system/version.ts";
import type { WorkerSettings } from "../args.ts";
import { createProxyChoice } from "../outgoing-proxy.ts";
import { type UpdaterOptions, updaterByCommand, updaterOfService } from "./updaters.ts";
import { type Updater, VersionWatch } from "./version-watch.ts";

/** The variable by which a worker knows that it is a service. Its value is the directory of the service's program. */
const SERVICE_DIR = "MOORAGE_SERVICE_DIR";

/** Watches the version of the server for the worker of this process. `stop` ends it in order, `flush` writes the rest of its log, and `argv` are its words. */
export function watchVersion(
  settings: WorkerSettings,
  log: Log,
  argv: readonly string[],
  { stop, flush }: { readonly stop: () => Promise<void>; readonly flush: () => void },
): VersionWatch {
  const { env } = process;
  return new VersionWatch({
    version: VERSION,
    server: settings.server,
    launcher: launcherWords(env),
    updater: settings.update === "true" ? updaterFor(settings, argv) : undefined,
    isUnverified: env["NODE_TLS_REJECT_UNAUTHORIZED"] === "0",
    now: Date.now,
    log,
    stop,
    flush,
  });
}

function updaterFor(settings: WorkerSettings, argv: readonly string[]): Updater {
  const { env } = process;
  const directory = env[SERVICE_DIR];
  const options: UpdaterOptions = {
    server: settings.server,
    proxyFor: createProxyChoice(settings),
    env,
    now: Date.now,
  };
  if (directory === undefined) return updaterByCommand({ ...options, argv });
  return updaterOfService({
    ...options,
    directory,
    // Loaded only on demand, like all of the service.
    switchProgram: async (place, program) =>
      (await import("../../service/program-files.ts")).switchProgram(place, program),
    exit: (code) => process.exit(code),
  });
}
