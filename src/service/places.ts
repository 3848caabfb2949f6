import { posix, win32 } from "node:path";
import type { Scope, ServiceSystem } from "./service-spec.ts";

export const posixJoin = posix.join;

/** What decides where a service has its files. */
export interface ServiceMachine {
  readonly platform: NodeJS.Platform;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly home: string;
  readonly user: string;
  /** Undefined on Windows. */
  readonly uid: number | undefined;
}

/** Where the files of one service are. */
export interface MachinePlaces {
  /** The directory that the system looks for services in. */
  readonly services: string;
  /** The file with the worker's settings, secrets included. */
  readonly settings: string;
  /** The directory for the program, its versions and what is known of the service. Removed with the service. */
  readonly base: string;
  /** The file of the log; undefined where the system keeps logs. */
  readonly log: string | undefined;
}

/** Returns the system that starts services on a platform; undefined if it is none that is known. */
export function serviceSystem(platform: NodeJS.Platform): ServiceSystem | undefined {
  if (platform === "linux") return "systemd";
  if (platform === "darwin") return "launchd";
  return platform === "win32" ? "windows" : undefined;
}

/** Returns where a service has its files. */
export function placesOf(name: string, scope: Scope, system: ServiceSystem, machine: ServiceMachine): MachinePlaces {
  const { env, home } = machine;
  const isOfUser = scope === "user";
  if (system === "systemd") {
    const config = env["XDG_CONFIG_HOME"] || posix.join(home, ".config");
    const data = env["XDG_DATA_HOME"] || posix.join(home, ".local", "share");
    return {
      services: isOfUser ? posix.join(config, "systemd", "user") : "/etc/systemd/system",
      settings: posix.join(isOfUser ? posix.join(config, "moorage") : "/etc/moorage", `${name}.env`),
      base: posix.join(isOfUser ? posix.join(data, "moorage") : "/usr/local/lib/moorage", name),
      log: undefined,
    };
  }
  if (system === "launchd") {
    const library = isOfUser ? posix.join(home, "Library") : "/Library";
    const base = posix.join(library, "Application Support", "moorage", name);
    return {
      services: posix.join(library, isOfUser ? "LaunchAgents" : "LaunchDaemons"),
      settings: posix.join(base, "settings.yaml"),
      base,
      log: posix.join(isOfUser ? posix.join(library, "Logs", "moorage") : base, `${name}.log`),
    };
  }
  const local = env["LOCALAPPDATA"] || win32.join(home, "AppData", "Local");
  const base = win32.join(local, "moorage", name);
  return { services: base, settings: win32.join(base, "settings.yaml"), base, log: win32.join(base, `${name}.log`) };
}
