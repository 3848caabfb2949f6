import { ownCommand } from "../../system/own-program.ts";
import type { Machine, MachineState } from "./machine.ts";

export interface ServerMachineOptions {
  readonly name: string;
  /** Returns the settings of the server apart from its port. Called at each start. */
  env(): Readonly<Record<string, string>>;
  /** Gets the warnings and errors of the server's log. */
  onLine(text: string): void;
}

const START_TIMEOUT_MS = 30_000;

/** A health check of a load balancer fails after this long without an answer, as in deploy/cluster/Caddyfile. */
const CHECKED_MS = 2000;

/** A Moorage server in a process of its own. */
export class ServerMachine implements Machine {
  readonly name: string;
  readonly #options: ServerMachineOptions;
  #child: Bun.Subprocess<"ignore", "pipe", "pipe"> | undefined;
  #state: MachineState = "down";
  #port = 0;
  #frozenAt = 0;

  constructor(options: ServerMachineOptions) {
    this.name = options.name;
    this.#options = options;
  }

  get state(): MachineState {
    return this.#state;
  }

  /** Whether a load balancer sends it new connections. A frozen server looks healthy until its checks fail. */
  get isTaking(): boolean {
    if (this.#state === "frozen") return performance.now() - this.#frozenAt < CHECKED_MS;
    return this.#state === "up";
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  async start(): Promise<void> {
    const { PATH = "", HOME = "", TMPDIR } = process.env;
    const env = { PATH, HOME, ...(TMPDIR === undefined ? {} : { TMPDIR }), LOG_FORMAT: "json" };
    const { words, cwd } = ownCommand();
    const child = Bun.spawn([...words, "serve"], {
      ...(cwd !== undefined && { cwd }),
      env: { ...env, ...this.#options.env(), PORT: String(this.#port) },
      stdio: ["ignore", "pipe", "pipe"],
      // Ctrl-C in the terminal goes to the demo only, which then stops its servers in order.
      detached: true,
    });
    this.#child = child;
    this.#state = "starting";
    const ended = child.exited.then(() => {
      if (this.#child !== child) return;
      this.#state = "down";
      this.#child = undefined;
    });
    const { promise: url, resolve } = Promise.withResolvers<string>();
    const errors = child.stderr.text();
    void this.#read(child, resolve);
    const timeout = AbortSignal.timeout(START_TIMEOUT_MS);
    const tooLate = new Promise<undefined>((late) => timeout.addEventListener("abort", () => late(undefined)));
    const started = await Promise.race([url, ended, tooLate]);
    if (started === undefined) {
      child.kill("SIGKILL");
      throw new Error(`${this.name} did not start: ${(await errors).trim().slice(-1000)}`);
    }
    this.#port = Number(new URL(started).port);
    this.#state = "up";
  }

  stop(): Promise<void> {
    this.#state = "stopping";
    return this.#end("SIGTERM");
  }

  kill(): Promise<void> {
    return this.#end("SIGKILL");
  }

  freeze(): void {
    this.#child?.kill("SIGSTOP");
    this.#state = "frozen";
    this.#frozenAt = performance.now();
  }

  thaw(): void {
    this.#child?.kill("SIGCONT");
    this.#state = "up";
  }

  async #end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    const child = this.#child;
    // A frozen process acts on SIGTERM only after SIGCONT.
    child?.kill("SIGCONT");
    child?.kill(signal);
    await child?.exited;
  }

  /** Reads the log, and passes on the lines that an operator has to know. */
  async #read(child: Bun.Subprocess<"ignore", "pipe", "pipe">, onUrl: (url: string) => void): Promise<void> {
    const decoder = new TextDecoder();
    let rest = "";
    for await (const bytes of child.stdout) {
      const lines = `${rest}${decoder.decode(bytes, { stream: true })}`.split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        const { level, event, url, time, ...facts } = JSON.parse(line) as Readonly<Record<string, unknown>>; // The server's own log.
        if (event === "server.started") onUrl(String(url));
        if (level === "info" || level === "debug") continue;
        const words = Object.entries(facts).map(([name, value]) => `${name}=${value}`);
        this.#options.onLine(`${this.name}: ${event} ${words.join(" ")}`);
      }
    }
  }
}
