import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "./temporary-directory.ts";

const ROOT = join(import.meta.dir, "../..");

/**
 * A shell into which lines of the dashboard are pasted. Its `npx` runs this checkout in place of the tarball that it would
 * download; everything else is what a person's shell does.
 */
export class PastedLines {
  readonly #directory = temporaryDirectory();
  readonly #running: Bun.Subprocess[] = [];

  /** `isReal`: whether `npx` is the one of the machine, and downloads what the line names. */
  constructor(isReal = false) {
    const bin = join(this.#directory.path, "bin");
    mkdirSync(bin);
    if (isReal) return;
    const npx = join(bin, "npx");
    // `npx -y <tarball> worker llm …`
    writeFileSync(npx, `#!/bin/sh\nshift 2\ncd '${ROOT}' && exec '${process.execPath}' src/cli/main.ts "$@"\n`);
    chmodSync(npx, 0o755);
  }

  get home(): string {
    return this.#directory.path;
  }

  /** Starts a line and leaves it running until `stop`. */
  start(line: string, env: Readonly<Record<string, string>> = {}): void {
    this.#running.push(
      Bun.spawn(["sh", "-c", `exec ${line}`], { ...this.#options(env), stdio: ["ignore", "ignore", "inherit"] }),
    );
  }

  /** Runs a line to its end and returns what it printed. Rejects if it fails. */
  async run(line: string, env: Readonly<Record<string, string>> = {}): Promise<string> {
    const shell = Bun.spawn(["sh", "-c", line], { ...this.#options(env), stdio: ["ignore", "pipe", "pipe"] });
    const [said, complained, code] = await Promise.all([shell.stdout.text(), shell.stderr.text(), shell.exited]);
    if (code !== 0) throw new Error(`${line} ended with ${code}: ${complained}`);
    return said;
  }

  async stop(): Promise<void> {
    for (const each of this.#running.splice(0)) {
      each.kill("SIGTERM");
      await each.exited;
    }
    this.#directory.remove();
  }

  #options(env: Readonly<Record<string, string>>) {
    const path = `${join(this.#directory.path, "bin")}:${process.env["PATH"]}`;
    return {
      cwd: this.#directory.path,
      env: { PATH: path, HOME: this.#directory.path, XDG_STATE_HOME: this.#directory.path, LOG_LEVEL: "error", ...env },
    };
  }
}
