import { Inbox } from "./inbox.ts";

type Line = Readonly<Record<string, unknown>>;

/** A program takes half a second to start, and many times that on a machine that is busy with other tests. */
const EVENT_TIMEOUT_MS = 25_000;

/** One of our programs in its own process, observed through its log. */
export class ProgramRun {
  readonly lines = new Inbox<Line>();
  readonly #child: Bun.Subprocess<"ignore", "pipe", "pipe">;
  readonly #said: Promise<string>;

  /** `env` is the program's whole environment. Without a home directory in it, a worker keeps nothing. */
  constructor(command: readonly string[], env: Readonly<Record<string, string>>, cwd: string) {
    this.#child = Bun.spawn([...command], {
      cwd,
      env: { LOG_FORMAT: "json", ...(env["HOME"] === undefined ? { STATE_FILE: "none" } : {}), ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#said = this.#read();
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Returns the next log line of this event. */
  async event(name: string): Promise<Line> {
    return this.lines.takeUntil((line) => line["event"] === name, name, EVENT_TIMEOUT_MS);
  }

  /** Returns the server's address once it has started. */
  async url(): Promise<string> {
    const { url } = await this.event("server.started");
    return String(url);
  }

  /** Resolves with standard output and then standard error once the program has ended. */
  get output(): Promise<string> {
    return this.#said;
  }

  /** Asks the program to end, and resolves to its exit code. */
  stop(): Promise<number> {
    this.#child.kill("SIGTERM");
    return this.#child.exited;
  }

  /** Resolves to the exit code when the program ends by itself. */
  get exited(): Promise<number> {
    return this.#child.exited;
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  async #read(): Promise<string> {
    const errors = this.#child.stderr.text();
    const decoder = new TextDecoder();
    let all = "";
    let rest = "";
    for await (const bytes of this.#child.stdout) {
      const text = decoder.decode(bytes, { stream: true });
      all += text;
      const lines = `${rest}${text}`.split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) if (line.startsWith("{")) this.lines.put(JSON.parse(line));
    }
    return all + (await errors);
  }
}
