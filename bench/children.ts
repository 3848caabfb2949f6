import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** One of our programs in its own process. */
export interface Child {
  readonly pid: number;
  /** Asks the process to end, and kills it if it has not ended in time: after 3 s unless `withinMs` is given. */
  stop(withinMs?: number): Promise<void>;
}

/** A child that answers questions of the harness over Bun's IPC, one at a time. */
export interface Helper extends Child {
  /** The child's message when it was ready. */
  readonly greeting: Greeting;
  ask<Answer>(question: object, timeoutMs?: number): Promise<Answer>;
}

export interface Greeting {
  readonly url?: string;
}

/** The result of a command and its output. */
export interface Ended {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The longest wait for a child, unless a caller gives another. */
const USUAL_TIMEOUT_MS = 60_000;
/** The time that a child has to end by itself. */
const STOP_TIMEOUT_MS = 3000;

/** The processes of one run. Each can be stopped by its handle; `stopAll` stops all of them. */
export class Children {
  /** The directory for the files of this run; `stopAll` removes it. */
  readonly directory = mkdtempSync(join(tmpdir(), "moorage-bench-"));
  readonly #running = new Set<Child>();
  readonly #groups: Children[] = [];
  #count = 0;

  /** Returns children that can be stopped by themselves; `stopAll` of these stops them, too. */
  group(): Children {
    const group = new Children();
    this.#groups.push(group);
    return group;
  }

  /** Starts a program of bench/ and resolves with its first message. */
  async helper(script: string, args: readonly string[] = []): Promise<Helper> {
    const inbox: unknown[] = [];
    let wake = (): void => {};
    const child = Bun.spawn([process.execPath, script, ...args], {
      cwd: import.meta.dir,
      env: childEnv({}),
      stdio: ["ignore", "ignore", "inherit"],
      serialization: "json",
      ipc: (message) => {
        inbox.push(message);
        wake();
      },
    });
    const next = async (what: string, timeoutMs: number): Promise<unknown> => {
      const deadline = performance.now() + timeoutMs;
      while (inbox.length === 0) {
        if (hasEnded(child)) throw new Error(`${script} ended with ${howEnded(child)} before ${what}`);
        if (performance.now() > deadline) throw new Error(`${script} took more than ${timeoutMs} ms for ${what}`);
        await Promise.race([new Promise<void>((resolve) => (wake = resolve)), Bun.sleep(100)]);
      }
      return inbox.shift();
    };
    const stoppable = this.#track(child);
    const greeting = (await next("its greeting", USUAL_TIMEOUT_MS)) as Greeting; // Our own programs send this message first.
    return {
      ...stoppable,
      greeting,
      async ask<Answer>(question: object, timeoutMs = USUAL_TIMEOUT_MS): Promise<Answer> {
        child.send(question);
        return (await next("its answer", timeoutMs)) as Answer; // The types of question and answer are declared beside the program.
      },
    };
  }

  /**
   * Starts a program of src/ and resolves with the log line that has `event`. The log goes to a file. `directory` is the
   * checkout to start it from; this one unless given.
   */
  async program(
    args: readonly string[],
    env: Readonly<Record<string, string>>,
    event: string,
    directory?: string,
  ): Promise<Child & { readonly line: Readonly<Record<string, unknown>> }> {
    const { child, line } = await this.#logged([process.execPath, ...args], env, `"event":"${event}"`, directory);
    return { ...child, line: JSON.parse(line) };
  }

  /** Starts a program of another project and resolves with the line of its output that has `text`. The output goes to a file. */
  async other(command: readonly string[], text: string): Promise<Child & { readonly line: string }> {
    const { child, line } = await this.#logged(command, {}, text);
    return { ...child, line };
  }

  /** Runs a command to its end. `stopAll` kills it with all its children. */
  async run(command: readonly string[]): Promise<Ended> {
    const child = Bun.spawn([...command], {
      env: childEnv({}),
      stdio: ["ignore", "pipe", "pipe"],
      // In its own process group, so that a pipeline is killed as a whole.
      detached: true,
    });
    const tracked = this.#track(child, (signal) => process.kill(-child.pid, signal));
    const [stdout, stderr, exitCode] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
    this.#running.delete(tracked);
    return { exitCode, stdout, stderr };
  }

  async #logged(
    command: readonly string[],
    env: Readonly<Record<string, string>>,
    text: string,
    directory = join(import.meta.dir, ".."),
  ): Promise<{ readonly child: Child; readonly line: string }> {
    this.#count += 1;
    const path = join(this.directory, `${this.#count}.log`);
    const log = openSync(path, "a");
    const child = Bun.spawn([...command], {
      cwd: directory,
      env: childEnv(env),
      stdio: ["ignore", log, log],
    });
    closeSync(log); // The child has its own descriptor.
    const tracked = this.#track(child);
    const deadline = performance.now() + USUAL_TIMEOUT_MS;
    for (;;) {
      const line = readFileSync(path, "utf8")
        .split("\n")
        .find((each) => each.includes(text));
      if (line) return { child: tracked, line };
      if (hasEnded(child)) throw new Error(`${command.join(" ")} ended with ${howEnded(child)}`);
      if (performance.now() > deadline) throw new Error(`${command.join(" ")} did not say ${text}`);
      await Bun.sleep(50);
    }
  }

  async stopAll(): Promise<void> {
    await Promise.all([
      ...this.#groups.map((group) => group.stopAll()),
      ...[...this.#running].map((child) => child.stop()),
    ]);
    rmSync(this.directory, { recursive: true, force: true });
  }

  #track(child: Bun.Subprocess, send = (signal: NodeJS.Signals): unknown => child.kill(signal)): Child {
    const tracked: Child = {
      pid: child.pid,
      stop: async (withinMs = STOP_TIMEOUT_MS) => {
        this.#running.delete(tracked);
        if (!hasEnded(child)) send("SIGTERM");
        await Promise.race([child.exited, Bun.sleep(withinMs)]);
        if (!hasEnded(child)) send("SIGKILL");
        await child.exited;
      },
    };
    this.#running.add(tracked);
    return tracked;
  }
}

function hasEnded(child: Bun.Subprocess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

function howEnded(child: Bun.Subprocess): string {
  return `${child.signalCode ?? `exit code ${child.exitCode}`}`;
}

/** The environment of a child. Settings of Moorage in this process's environment must not reach it. */
function childEnv(more: Readonly<Record<string, string>>): Record<string, string> {
  const { PATH = "", HOME = "", TMPDIR } = process.env;
  // Bun runs 256 fetches at once unless this is set before it starts.
  return { PATH, HOME, BUN_CONFIG_MAX_HTTP_REQUESTS: "65336", ...(TMPDIR ? { TMPDIR } : {}), ...more };
}
