import { createHash } from "node:crypto";
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
  readonly home: string;
}

/**
 * Returns the path of a worker's state: `STATE_FILE`, else a file in the place that the system has for such files. Workers for
 * different servers, and those with different ids of their own, have different files.
 */
export function identityPath({ stateFile, server, id }: IdentityPlace, machine: Machine): string {
  if (stateFile !== undefined) return resolve(stateFile);
  const { host } = new URL(httpUrl(server));
  const digest = createHash("sha256")
    .update(JSON.stringify([httpUrl(server), id ?? null]))
    .digest("hex")
    .slice(0, 8);
  return join(stateDirectory(machine), `worker-${host.replace(/[^A-Za-z0-9.-]/g, "-")}-${digest}.json`);
}

function stateDirectory({ platform, env, home }: Machine): string {
  // systemd sets it for a service with StateDirectory=, and separates several by colons.
  const given = env["STATE_DIRECTORY"]?.split(":")[0];
  if (given) return given;
  if (platform === "darwin") return join(home, "Library", "Application Support", "moorage");
  if (platform === "win32") return join(env["LOCALAPPDATA"] || join(home, "AppData", "Local"), "moorage");
  return join(env["XDG_STATE_HOME"] || join(home, ".local", "state"), "moorage");
}
