import { deepFreeze, type Loaded, readSettings, type Sources } from "../settings/read-settings.ts";
import type { ProgramText } from "../settings/render.ts";
import { doctorTable } from "./doctor-table.ts";

/** What the doctor was told: validated and deeply frozen. `docs/configuration.md` says what each key means. */
export interface DoctorSettings {
  /** Base URL without a trailing slash; see `connectUrl` and `httpUrl`. */
  readonly server: string;
  readonly clientKey: string | undefined;
  readonly apiKey: string | undefined;
  readonly adminKey: string | undefined;
  /** 0: nothing is held. */
  readonly idleMs: number;
  readonly json: "true" | "false";
}

export interface DoctorSources extends Sources {
  readonly version: string;
}

/** What the doctor says about itself in `--help`. */
export function doctorText(version: string): ProgramText {
  return {
    name: "moorage doctor",
    version,
    about: "tests a server and everything in front of it, from a worker's side, and says what to fix.",
    usage: "moorage doctor --server URL [flags]",
  };
}

/** Reads, checks and freezes everything, or says all that is wrong. `argv` begins after the word `doctor`. */
export function loadDoctorSettings(sources: DoctorSources): Loaded<DoctorSettings> {
  const read = readSettings(doctorTable(), sources, doctorText(sources.version));
  if (read.kind === "print") return read;
  // Told by its place: it may be the stray half of a key.
  const stray = read.positionals
    .filter(({ isDoubtful }) => !isDoubtful)
    .map(
      ({ place }) => `argument ${place}: the doctor accepts flags only, such as --server https://moorage.example.com`,
    );
  const faults = [...read.faults, ...stray];
  if (faults.length > 0 || !read.values) return { kind: "faults", faults };
  if (read.print) return { kind: "print", text: read.print({}) };
  return { kind: "ready", config: deepFreeze({ ...read.values }) };
}
