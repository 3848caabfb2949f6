import { loadConfig } from "../config.ts";
import { KNOWN_PLUGINS } from "../plugins.ts";
import { EXIT_CONFIG, type Sources } from "../settings/read-settings.ts";
import { backUp } from "../store/backup.ts";
import { StoreFault } from "../store/store-fault.ts";
import { VERSION } from "../system/version.ts";
import type { Streams } from "./standard-streams.ts";

const HELP = `moorage backup copies the server's store to a file, also while the server runs.
Usage: moorage backup <file> [--data-dir <directory>]

The file must not exist yet. The directory is the server's DATA_DIR, as --data-dir, the environment variable
DATA_DIR, or the file of --config or CONFIG_FILE gives it.
The copy contains neither keys nor the secret for sign-ins. To restore it, stop the server, remove moorage.db-wal
and moorage.db-shm from its DATA_DIR, and replace moorage.db with the copy.
`;

/** Runs the backup as a program. `sources.argv` begins after its name. Returns the exit code. */
export function runBackup({ argv, ...sources }: Sources, { out, err }: Streams): number {
  if (argv.some((arg) => arg === "--help" || arg === "-h")) {
    out(HELP);
    return 0;
  }
  const [file, ...flags] = argv;
  if (file === undefined || file === "" || file.startsWith("-")) {
    err(`The first argument must be the file to write.\n\n${HELP}`);
    return EXIT_CONFIG;
  }
  const loaded = loadConfig({
    ...sources,
    argv: flags,
    version: VERSION,
    knownPlugins: KNOWN_PLUGINS,
    isTerminal: false,
  });
  if (loaded.kind === "print") {
    out(`${loaded.text}\n`);
    return 0;
  }
  if (loaded.kind === "faults") {
    err(`The settings are not valid:\n${loaded.faults.map((fault) => `  - ${fault}\n`).join("")}`);
    return EXIT_CONFIG;
  }
  const { dataDir } = loaded.config;
  if (dataDir === undefined) {
    err("There is no store to copy: neither --data-dir nor DATA_DIR is set.\n");
    return EXIT_CONFIG;
  }
  try {
    const bytes = backUp(dataDir, file);
    out(`Copied ${dataDir} to ${file}: ${bytes} bytes.\n`);
    return 0;
  } catch (error) {
    if (!(error instanceof StoreFault)) throw error;
    err(`No backup was made: ${error.message}.\nWhat to do: ${error.hint}.\n`);
    return error.exitCode;
  }
}
