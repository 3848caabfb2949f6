import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Need } from "../support/lacks.ts";

/** The directory of the virtual environment. It is below `node_modules`, which no tool of this project reads or commits. */
export const ENVIRONMENT = join(import.meta.dir, "../../node_modules/.cache/python");
export const REQUIREMENTS = join(import.meta.dir, "requirements.txt");
/** The Python of the virtual environment. */
export const PYTHON = join(ENVIRONMENT, "bin/python");
/** Holds the pins that the environment was made from. It is written last, so that half an environment never counts. */
export const STAMP = join(ENVIRONMENT, "installed.txt");

/** The pinned Python packages, in the virtual environment that `bun run test:real` makes. */
export const PYTHON_PACKAGES: Need = {
  name: "virtual environment with the pinned Python packages",
  isThere: () => existsSync(STAMP) && readFileSync(STAMP, "utf8") === readFileSync(REQUIREMENTS, "utf8"),
  package: "python-packages",
  install: "bun run test:real",
};

/** The directory into which the programs of tests/real/npm are installed. */
export const NPM_ENVIRONMENT = join(import.meta.dir, "../../node_modules/.cache/npm-programs");
/** Holds the names and pins of these programs. */
export const NPM_PROGRAMS = join(import.meta.dir, "npm");
/** The program of Claude Code, which its package has built for each system. */
export const CLAUDE_CODE = join(
  NPM_ENVIRONMENT,
  `node_modules/@anthropic-ai/claude-code-${process.platform}-${process.arch}`,
  process.platform === "win32" ? "claude.exe" : "claude",
);
/** The folder with the program of opencode, which its package would copy elsewhere in an install script. */
export const OPENCODE_FOLDER = join(
  NPM_ENVIRONMENT,
  `node_modules/opencode-${process.platform === "win32" ? "windows" : process.platform}-${process.arch}/bin`,
);
/** Written after the installation, like the other stamp. */
export const NPM_STAMP = join(NPM_ENVIRONMENT, "installed.txt");

/** The pinned programs from npm that are no development packages. */
export const NPM_PACKAGES: Need = {
  name: "programs of tests/real/npm",
  isThere: () => existsSync(NPM_STAMP) && readFileSync(NPM_STAMP, "utf8") === readFileSync(pins(), "utf8"),
  package: "npm-packages",
  install: "bun run test:real",
};

/** Gemini CLI is a script for Node. */
export const NODE: Need = {
  name: "node",
  isThere: () => Bun.which("node") !== null,
  install: "on Debian: apt-get install nodejs",
};

/** Milliseconds. A command of these programs takes about a second, and many times that on a busy machine. */
export const COMMAND_TIMEOUT_MS = 60_000;

/** Keeps Claude Code from replacing itself and from sending anything but what a test asks of it. */
export const QUIET_CLAUDE_CODE = {
  DISABLE_AUTOUPDATER: "1",
  CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
} as const;

function pins(): string {
  return join(NPM_PROGRAMS, "bun.lock");
}
