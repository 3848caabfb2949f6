import { rmSync } from "node:fs";
import { ENVIRONMENT, PYTHON, PYTHON_PACKAGES, REQUIREMENTS, STAMP } from "../../tests/real/environment.ts";

/** Milliseconds. 130 MB are downloaded; a slow line takes minutes. */
const INSTALL_TIMEOUT_MS = 10 * 60_000;

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

/** Runs a command and returns the end of what it printed if it failed. */
async function failure(command: readonly string[]): Promise<string | undefined> {
  const run = Bun.spawn([...command], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    timeout: INSTALL_TIMEOUT_MS,
  });
  const [out, errors, code] = await Promise.all([run.stdout.text(), run.stderr.text(), run.exited]);
  if (code === 0) return undefined;
  const said = `${out}${errors}`.trim().split("\n").slice(-3).join(" ");
  return `${command.slice(0, 4).join(" ")} failed: ${said || run.signalCode || code}`;
}
