import { cpSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { NPM_ENVIRONMENT, NPM_PACKAGES, NPM_PROGRAMS, NPM_STAMP } from "../../tests/real/environment.ts";
import { failure } from "./run-command.ts";

/**
 * Installs the programs of tests/real/npm, unless those that are there have the same pins. Returns why it could not, or
 * undefined. No script of a package runs.
 */
export async function makeNpmEnvironment(): Promise<string | undefined> {
  if (NPM_PACKAGES.isThere()) return undefined;
  console.log(`Installing the programs of tests/real/npm into ${NPM_ENVIRONMENT} (only needed once)…`);
  rmSync(NPM_ENVIRONMENT, { recursive: true, force: true });
  mkdirSync(NPM_ENVIRONMENT, { recursive: true });
  for (const file of ["package.json", "bun.lock"]) cpSync(join(NPM_PROGRAMS, file), join(NPM_ENVIRONMENT, file));
  const reason = await failure(
    [process.execPath, "install", "--frozen-lockfile", "--ignore-scripts", "--silent"],
    NPM_ENVIRONMENT,
  );
  if (reason === undefined) cpSync(join(NPM_PROGRAMS, "bun.lock"), NPM_STAMP);
  return reason;
}
