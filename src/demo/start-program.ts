import type { Deps } from "../system/deps.ts";
import { loadWorkerSettings } from "../worker/args.ts";
import { KIND_NAMES } from "../worker/kinds.ts";
import { startWorker, type Worker } from "../worker/worker.ts";

/** Starts a worker program in this process, configured as if it ran by itself. */
export function startProgram(
  argv: readonly string[],
  server: { readonly url: string; readonly clientKey: string },
  deps: Deps,
): Worker {
  const settings = loadWorkerSettings({
    argv: [...argv, "--server", server.url, "--client-key", server.clientKey],
    env: { STATE_FILE: "none" },
    readFile: () => "",
    version: "",
    knownKinds: KIND_NAMES,
    hostname: "demo",
    isTerminal: false,
  });
  if (settings.kind !== "ready") throw new Error("the demo's worker settings are not valid");
  return startWorker(settings.config, deps);
}
