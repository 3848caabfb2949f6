import { deepFreeze, type Loaded, readSettings, type Sources } from "../settings/read-settings.ts";
import type { ProgramText } from "../settings/render.ts";
import { launcherWords } from "../system/launcher.ts";
import { withProxyVariables } from "../worker/outgoing-proxy.ts";
import { doctorTable } from "./doctor-table.ts";

/** The doctor's settings, validated and deeply frozen. `docs/configuration.md` explains each key. */
export interface DoctorSettings {
  /** Base URL without a trailing slash; see `connectUrl` and `httpUrl`. */
  readonly server: string;
  /** The key and, while it is being replaced, the previous one; empty where the server requires none. */
  readonly clientKeys: readonly string[];
  /** The join token, the state file and the id that a worker on this machine has in its settings. */
  readonly joinToken?: string | undefined;
  readonly stateFile?: string | undefined;
  readonly id?: string | undefined;
  readonly apiKey: string | undefined;
  readonly adminKey: string | undefined;
  /** The worker's own settings. */
  readonly httpsProxy: string | undefined;
  readonly httpProxy: string | undefined;
  readonly noProxy: string | undefined;
  /** How long quiet connections are held; 0 skips these checks. */
  readonly idleMs: number;
  readonly json: "true" | "false";
}

export interface DoctorSources extends Sources {
  readonly version: string;
}

/** The texts of the doctor's `--help`. */
export function doctorText(version: string, launcher = "moorage"): ProgramText {
  return {
    name: "moorage doctor",
    version,
    about: "tests a server and everything in front of it, from a worker's side, and says what to fix.",
    usage: `${launcher} doctor --server URL [flags]`,
    examples: [`CLIENT_KEY=… API_KEY=… ${launcher} doctor --server https://moorage.example.com`],
  };
}

/** Reads, checks and freezes the settings, or lists everything that is wrong. `argv` begins after the word `doctor`. */
export function loadDoctorSettings(sources: DoctorSources): Loaded<DoctorSettings> {
  const env = withProxyVariables(sources.env);
  const read = readSettings(
    doctorTable(),
    { ...sources, env },
    doctorText(sources.version, launcherWords(sources.env)),
  );
  if (read.kind === "print") return read;
  // Reported by its position, since it may be a piece of a key.
  const stray = read.positionals
    .filter(({ isDoubtful }) => !isDoubtful)
    .map(
      ({ place }) => `argument ${place}: the doctor accepts flags only, such as --server https://moorage.example.com`,
    );
  const faults = [...read.faults, ...stray];
  if (faults.length > 0 || !read.values) return { kind: "faults", faults };
  if (read.print) return { kind: "print", text: read.print({}) };
  return { kind: "ready", config: deepFreeze({ ...read.values }), remarks: read.remarks };
}
