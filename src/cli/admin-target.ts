import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Config, loadConfig } from "../config.ts";
import { KNOWN_PLUGINS } from "../plugins.ts";
import type { Sources } from "../settings/read-settings.ts";
import { STORE_FILE } from "../store/store.ts";
import { StoreFault, StoreInUse } from "../store/store-fault.ts";
import { systemClock } from "../system/clock.ts";
import { systemIds } from "../system/ids.ts";
import { silentLog } from "../system/log.ts";
import { reachableHost } from "../system/loopback.ts";
import { VERSION } from "../system/version.ts";
import { httpUrl, parseServerUrl } from "../worker/server-url.ts";
import { CommandFault } from "./command-fault.ts";
import { openLocalAdmin } from "./local-admin.ts";

/** Where a command's requests go: to a server, or to the file of one that does not run. */
export interface AdminTarget {
  /** The base URL of the server; for a file, one that leads nowhere. */
  readonly base: string;
  /** The operator's key, if there is one. */
  readonly key: string | undefined;
  /** The directory of a store that no server uses; undefined for a server. */
  readonly directory: string | undefined;
  /** The directory of a store that a server uses, if the server was looked for because of it. */
  readonly inUse?: string;
  send(request: Request): Promise<Response>;
  /** Throws a `CommandFault` if a change could not be written. */
  close(): void;
}

export interface TargetOptions {
  /** `--server`. */
  readonly server: string | undefined;
  /** `--data-dir`. */
  readonly dataDir: string | undefined;
  /** `--config`. */
  readonly config: string | undefined;
  /** Whether a store may be created that does not exist yet. */
  readonly mayCreate: boolean;
}

const NO_SERVER = "http://store.invalid";

/**
 * Finds the server: the one that `--server` or `SERVER_URL` names, else the one of the configuration. If the configuration has a
 * `DATA_DIR` whose lock nobody has, no server runs, and its file is opened instead. Throws a `CommandFault`.
 */
export function openTarget(options: TargetOptions, { env, readFile }: Pick<Sources, "env" | "readFile">): AdminTarget {
  const named = options.server ?? (options.dataDir === undefined ? env["SERVER_URL"]?.trim() || undefined : undefined);
  if (named !== undefined) {
    if (options.dataDir !== undefined)
      throw new CommandFault("Use either --server, for a running server, or --data-dir, for one that is not running.");
    const server = parseServerUrl(named);
    if (server === undefined)
      throw new CommandFault(
        "The server must be a URL without user name, password and query, such as https://moorage.example.com.",
      );
    return serverTarget(httpUrl(server), firstOf(env["ADMIN_KEY"]) ?? firstOf(env["API_KEY"]));
  }
  const config = configOf(options, { env, readFile });
  const running = (): AdminTarget => serverTarget(urlOf(config), config.adminKeys[0] ?? config.apiKeys[0]);
  if (config.dataDir === undefined) return running();
  return storeTarget(config.dataDir, options.mayCreate) ?? { ...running(), inUse: config.dataDir };
}

function serverTarget(base: string, key: string | undefined): AdminTarget {
  // A redirect is told and not followed, so that a key goes only where it was meant to go.
  const send = (request: Request): Promise<Response> => fetch(request, { redirect: "manual" });
  return { base, key, directory: undefined, send, close: () => {} };
}

/** Opens the store in a directory; undefined if a server uses it. */
function storeTarget(directory: string, mayCreate: boolean): AdminTarget | undefined {
  if (!mayCreate && !existsSync(join(directory, STORE_FILE)))
    throw new CommandFault(
      `There is no ${STORE_FILE} in ${directory}. Give the server's DATA_DIR with --data-dir, or its URL with --server.`,
    );
  try {
    const local = openLocalAdmin(directory, { clock: systemClock, ids: systemIds, log: silentLog });
    return {
      base: NO_SERVER,
      key: undefined,
      directory,
      send: (request) => local.handle(request),
      close() {
        const isFailing = local.isFailing();
        local.close();
        if (isFailing)
          throw new CommandFault(
            `The change could not be written to ${directory}, and may be lost. Check the disk, then list the keys to see what was saved.`,
            1,
          );
      },
    };
  } catch (error) {
    if (!(error instanceof StoreFault)) throw error;
    if (error instanceof StoreInUse) return undefined;
    throw new CommandFault(`${error.message}. What to do: ${error.hint}.`, error.exitCode);
  }
}

function configOf({ dataDir, config }: TargetOptions, sources: Pick<Sources, "env" | "readFile">): Config {
  const argv = [
    ...(dataDir === undefined ? [] : [`--data-dir=${dataDir}`]),
    ...(config === undefined ? [] : [`--config=${config}`]),
  ];
  const loaded = loadConfig({ ...sources, argv, version: VERSION, knownPlugins: KNOWN_PLUGINS, isTerminal: false });
  if (loaded.kind === "ready") return loaded.config;
  const faults = loaded.kind === "faults" ? loaded.faults : [];
  throw new CommandFault(
    `The server's settings are not valid, so they do not tell where the server is. Give its URL with --server.\n${faults.map((fault) => `  - ${fault}`).join("\n")}`,
  );
}

function urlOf({ host, port }: Config): string {
  if (port === 0)
    throw new CommandFault(
      "The settings have port 0, so the server has chosen its port itself. Give its URL with --server.",
    );
  return `http://${reachableHost(host)}:${port}`;
}

/** Returns the first key of a list. */
function firstOf(list: string | undefined): string | undefined {
  return list?.split(",")[0]?.trim() || undefined;
}
