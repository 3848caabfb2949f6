/** Milliseconds. Up to 500 MB are downloaded; a slow line takes minutes. */
const INSTALL_TIMEOUT_MS = 10 * 60_000;

/** Runs a command and returns the end of what it printed if it failed. */
export async function failure(command: readonly string[], cwd = process.cwd()): Promise<string | undefined> {
  const run = Bun.spawn([...command], {
    cwd,
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
