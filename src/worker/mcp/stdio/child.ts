import { type ChildProcess, spawn } from "node:child_process";
import { type JSONRPCMessage, ReadBuffer, serializeMessage } from "@modelcontextprotocol/server";
import type { CancelTimer, Clock, Log } from "../../../deps.ts";

export interface ChildOptions {
  /** A line for the shell. */
  readonly command: string;
  readonly env: Readonly<Record<string, string>>;
  readonly clock: Clock;
  readonly log: Log;
  readonly onMessage: (message: JSONRPCMessage) => void;
  /** Called once, when the process has ended or could not be started. */
  readonly onExit: (reason: string) => void;
}

/** The largest message of a child, and the most that may wait for it to be read. */
const MAX_BUFFERED_BYTES = 32 * 1024 * 1024;
/** What a child gets to end by itself once its input has ended, and again after it was asked to. */
const PATIENCE_MS = 2000;
/** Lines of a child's own log that are passed on; they are for whoever runs the worker. */
const MAX_LOG_CHARS = 500;

/**
 * An MCP server that speaks on its standard input and output: one message a line. It runs in a process group of its own,
 * so that what it starts ends with it.
 */
export class StdioChild {
  readonly #options: ChildOptions;
  readonly #process: ChildProcess;
  readonly #buffer = new ReadBuffer({ maxBufferSize: MAX_BUFFERED_BYTES });
  readonly #ended = Promise.withResolvers<void>();
  #hasEnded = false;
  #cancelKill: CancelTimer = () => {};

  constructor(options: ChildOptions) {
    this.#options = options;
    const child = spawn(options.command, {
      shell: true,
      detached: process.platform !== "win32",
      env: options.env,
      stdio: ["pipe", "pipe", "pipe"],
    });
    this.#process = child;
    child.stdout?.on("data", (chunk: Buffer) => this.#read(chunk));
    child.stderr?.on("data", (chunk: Buffer) => {
      options.log.debug("child.said", { text: chunk.toString().slice(0, MAX_LOG_CHARS) });
    });
    // A child that is gone does not read; its exit tells the rest.
    child.stdin?.on("error", () => {});
    child.on("error", (error) => this.#end(error.message));
    child.on("exit", (code, signal) =>
      this.#end(signal === null ? `it ended with code ${code}` : `it was ended by ${signal}`),
    );
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** False when the child does not take any more. */
  send(message: JSONRPCMessage): boolean {
    const { stdin } = this.#process;
    if (this.#hasEnded || !stdin) return false;
    if (stdin.writableLength > MAX_BUFFERED_BYTES) {
      this.kill("it reads nothing");
      return false;
    }
    stdin.write(serializeMessage(message));
    return true;
  }

  /** Ends its input, asks it to end, and makes it end. Resolves when it has. */
  async close(): Promise<void> {
    if (!this.#hasEnded) {
      this.#process.stdin?.end();
      this.#cancelKill = this.#options.clock.after(PATIENCE_MS, () => {
        this.#signal("SIGTERM");
        this.#cancelKill = this.#options.clock.after(PATIENCE_MS, () => this.#signal("SIGKILL"));
      });
    }
    await this.#ended.promise;
  }

  kill(reason: string): void {
    if (this.#hasEnded) return;
    this.#options.log.warn("child.killed", { reason });
    this.#signal("SIGKILL");
  }

  #read(chunk: Buffer): void {
    try {
      this.#buffer.append(chunk);
    } catch {
      return this.kill("a line of its output has no end");
    }
    for (;;) {
      try {
        const message = this.#buffer.readMessage();
        if (message === null) return;
        this.#options.onMessage(message);
      } catch {
        // Some servers print greetings where only messages belong.
        this.#options.log.debug("child.rubbish");
      }
    }
  }

  /** To the whole group: shells and package runners do not pass signals on. */
  #signal(signal: NodeJS.Signals): void {
    const { pid } = this.#process;
    if (pid === undefined) return;
    try {
      if (process.platform === "win32") this.#process.kill(signal);
      else process.kill(-pid, signal);
    } catch {
      // Gone already.
    }
  }

  #end(reason: string): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#cancelKill();
    // What it has started and left behind.
    this.#signal("SIGKILL");
    this.#ended.resolve();
    this.#options.onExit(reason);
  }
}
