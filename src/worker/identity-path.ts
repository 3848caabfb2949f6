import { createHash } from "node:crypto";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { httpUrl } from "./server-url.ts";

/** The settings that decide which file it is. */
export interface IdentityPlace {
  /** `STATE_FILE`. */
  readonly stateFile: string | undefined;
  readonly server: string;
  readonly id: string | undefined;
}

/** Where programs keep their state on this machine. */
export interface Machine {
  readonly platform: NodeJS.Platform;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Empty where the user has none. */
  readonly home: string;
}

/** Returns the home directory of the user; an empty text for one without. */
export function homeOf(env: Machine["env"]): string {
  try {
    return homedir();
  } catch {
    return env["HOME"] ?? "";
  }
}

/** The value of `STATE_FILE` for a worker that keeps nothing. */
export const NO_STATE = "none";

/**
 * Returns the path of a worker's state: `STATE_FILE`, else a file in the place that the system has for such files; undefined for a
 * worker that keeps nothing, and where there is no such place. Workers for different servers, and those with different ids of their
 * own, have different files.
 */
export function identityPath({ stateFile, server, id }: IdentityPlace, machine: Machine): string | undefined {
  if (stateFile === NO_STATE) return undefined;
  if (stateFile !== undefined) return resolve(stateFile);
  const directory = stateDirectory(machine);
  if (directory === undefined) return undefined;
  const { host } = new URL(httpUrl(server));
  const digest = createHash("sha256")
    .update(JSON.stringify([httpUrl(server), id ?? null]))
    .digest("hex")
    .slice(0, 8);
  return join(directory, `worker-${host.replace(/[^A-Za-z0-9.-]/g, "-")}-${digest}.json`);
}

/** Reads `STATE_FILE` where it is set to nothing, which means the same as `none`. Other variables that are empty count as unset. */
export function withEmptyStateFile(env: Machine["env"]): Machine["env"] {
  const given = env["STATE_FILE"];
  return given !== undefined && given.trim() === "" ? { ...env, STATE_FILE: NO_STATE } : env;
}

function stateDirectory({ platform, env, home }: Machine): string | undefined {
  // systemd sets it for a service with StateDirectory=, and separates several by colons.
  const given = env["STATE_DIRECTORY"]?.split(":")[0];
  if (given) return given;
  if (platform === "win32" && env["LOCALAPPDATA"]) return join(env["LOCALAPPDATA"], "moorage");
  if (platform !== "darwin" && platform !== "win32" && env["XDG_STATE_HOME"])
    return join(env["XDG_STATE_HOME"], "moorage");
  if (home === "") return undefined;
  if (platform === "darwin") return join(home, "Library", "Application Support", "moorage");
  if (platform === "win32") return join(home, "AppData", "Local", "moorage");
  return join(home, ".local", "state", "moorage");
}
