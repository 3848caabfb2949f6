import { join } from "node:path";
import { PYTHON } from "./environment.ts";

/** Milliseconds until a client script counts as hanging, below the 120 seconds of its test. */
const CLIENT_TIMEOUT_MS = 100_000;

/** A Python program of `tests/real/programs` that serves until it is stopped. */
export interface PythonServer {
  /** The URL that it printed when it was ready, without a path. */
  readonly url: string;
  stop(): Promise<void>;
  /** Ends it with SIGKILL, as a crash would. */
  kill(): Promise<void>;
}

/** Starts a program of `tests/real/programs` and resolves once it has printed "listening URL". */
export async function startPython(name: string, args: readonly string[] = []): Promise<PythonServer> {
  const child = Bun.spawn([PYTHON, join(import.meta.dir, "programs", name), ...args], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    env: { PATH: process.env["PATH"] ?? "", PYTHONUNBUFFERED: "1" },
  });
  const errors = child.stderr.text();
  const ready = Promise.withResolvers<string>();
  void (async () => {
    const decoder = new TextDecoder();
    let text = "";
    // Reading goes on after the first match, so that the program never waits for a full pipe.
    for await (const bytes of child.stdout) {
      if (text.length < 10_000) text += decoder.decode(bytes, { stream: true });
      const url = /^listening (http\S+)$/m.exec(text)?.[1];
      if (url !== undefined) ready.resolve(url);
    }
    ready.reject(new Error(`${name} ended before it listened: ${(await errors).slice(-2000)}`));
  })();
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    child.kill(signal);
    await child.exited;
  };
  return { url: await ready.promise, stop: () => end("SIGTERM"), kill: () => end("SIGKILL") };
}

/** Runs a program of `tests/real/programs` to its end. Rejects with its error output if it fails. */
export async function runPython(name: string, args: readonly string[]): Promise<void> {
  await outputOf(join(import.meta.dir, "programs", name), args);
}

/** Runs a script of `tests/real/clients` and returns the JSON object that it printed. */
export async function runClient(
  name: string,
  args: readonly string[],
  env?: Readonly<Record<string, string>>,
): Promise<Readonly<Record<string, unknown>>> {
  return JSON.parse(await outputOf(join(import.meta.dir, "clients", name), args, env));
}

/** `env` is the script's whole environment; that of the tests if it is left out. */
async function outputOf(
  script: string,
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<string> {
  const child = Bun.spawn([PYTHON, script, ...args], {
    env,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    timeout: CLIENT_TIMEOUT_MS,
  });
  const [out, errors, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  if (code !== 0) throw new Error(`${script} ended with ${child.signalCode ?? code}: ${errors.slice(-3000)}`);
  return out;
}
