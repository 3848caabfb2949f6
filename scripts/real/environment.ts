import { rmSync } from "node:fs";
import { ENVIRONMENT, PYTHON, PYTHON_PACKAGES, REQUIREMENTS, STAMP } from "../../tests/real/environment.ts";
import { failure } from "./run-command.ts";

/**
 * Makes the virtual environment of tests/real with Python's own `venv` and `pip`, unless the one that is there has the same
 * pins. Returns why it could not, or undefined.
 */
export async function makeEnvironment(): Promise<string | undefined> {
  if (PYTHON_PACKAGES.isThere()) return undefined;
  if (Bun.which("python3") === null) return "there is no python3; on Debian: apt-get install python3-venv";
  console.log(`Installing the Python packages of tests/real into ${ENVIRONMENT} (only needed once)…`);
  rmSync(ENVIRONMENT, { recursive: true, force: true });
  return (
    (await failure(["python3", "-m", "venv", ENVIRONMENT])) ??
    (await failure([
      PYTHON,
      "-m",
      "pip",
      "install",
      "--disable-pip-version-check",
      "--quiet",
      "--no-deps",
      "-r",
      REQUIREMENTS,
    ])) ??
    (await stamp())
  );
}

async function stamp(): Promise<undefined> {
  await Bun.write(STAMP, Bun.file(REQUIREMENTS));
}
