import { type ChildProcess, spawn } from "node:child_process";
import { type JSONRPCMessage, parseJSONRPCMessage, serializeMessage } from "@modelcontextprotocol/server";
import type { CancelTimer, Clock, Log } from "../../../system/deps.ts";
import { isTooDeep } from "./depth.ts";
import { LineReader } from "./line-reader.ts";
import { MAX_MESSAGE_BYTES, type Peer, type PeerEvents } from "./peer.ts";

export interface ChildOptions extends PeerEvents {
  /** A program where there are arguments; else a line for the shell. */
  readonly command: string;
  readonly args?: readonly string[] | undefined;
  readonly directory?: string | undefined;
  readonly env: Readonly<Record<string, string>>;
  readonly clock: Clock;
  readonly log: Log;
}

/** What a child gets to end by itself once its input has ended, and again after it was asked to. */
const PATIENCE_MS = 2000;
/** How long a child that is full may read nothing at all. */
const STALL_MS = 30_000;
/** What the last of its output may take once it has ended: only who left its process group can still hold that open. */
const LAST_WORDS_MS = 500;
/** Of what a child said on its standard error, this much is passed on, and told at its end; it is for whoever runs the worker. */
const MAX_LOG_CHARS = 500;

/**
 * An MCP server that speaks on its standard input and output: one message a line. It runs in a process group of its own,
 * so that what it starts ends with it.
 */
export class StdioChild implements Peer {
  readonly #options: ChildOptions;
  /** Undefined when there could be none: too many processes or open files, for one. */
  readonly #process: ChildProcess | undefined;
  readonly #lines = new LineReader(MAX_MESSAGE_BYTES);
  readonly #ended = Promise.withResolvers<void>();
  /** Written and not taken. Counted here: Bun's own `writableLength` says 0 whatever waits. */
  #unreadBytes = 0;
  #readBytes = 0;
  #stopStallWatch: CancelTimer | undefined;
  #isClosing = false;
  /** Why it was killed, where it was. */
  #killedFor: string | undefined;
  /** The end of what it said on its standard error. */
  #lastSaid = "";
  /** The whole group has been asked to end, and has time for it: a shell does not wait for what it has started. */
  #isTerminating = false;
  #hasExited = false;
  #hasEnded = false;
  #cancelTimer: CancelTimer = () => {};

  constructor(options: ChildOptions) {
    this.#options = options;
    try {
      this.#process = this.#start();
    } catch (error) {
      queueMicrotask(() => this.#end(`it could not be started: ${messageOf(error)}`));
    }
  }

  get isFull(): boolean {
    return this.#unreadBytes > MAX_MESSAGE_BYTES;
  }

  send(message: JSONRPCMessage): boolean {
    if (this.#hasEnded || this.#isClosing) return false;
    const stdin = this.#process?.stdin;
    // Its exit is about to be told, and says why.
    if (!stdin || this.#hasExited) return true;
    if (this.#unreadBytes > 2 * MAX_MESSAGE_BYTES) {
      this.#kill("it does not read");
      return false;
    }
    const bytes = Buffer.from(serializeMessage(message));
    this.#unreadBytes += bytes.length;
    stdin.write(bytes, () => {
      this.#unreadBytes -= bytes.length;
      this.#readBytes += bytes.length;
    });
    if (this.isFull) this.#watchForStall();
    return true;
  }

  #watchForStall(): void {
    if (this.#stopStallWatch) return;
    const readBefore = this.#readBytes;
    this.#stopStallWatch = this.#options.clock.after(STALL_MS, () => {
      this.#stopStallWatch = undefined;
      if (!this.isFull || this.#hasEnded) return;
      if (this.#readBytes === readBefore) this.#kill("it reads nothing");
      else this.#watchForStall();
    });
  }

  /** Ends its input, asks it to end, and makes it end. */
  async close(): Promise<void> {
    if (!this.#isClosing && !this.#hasExited && this.#process) {
      this.#isClosing = true;
      this.#process.stdin?.end();
      this.#cancelTimer = this.#options.clock.after(PATIENCE_MS, () => this.#terminate());
    }
    await this.#ended.promise;
  }

  #start(): ChildProcess {
    const { command, args, directory, env, log } = this.#options;
    const child = spawn(command, args ?? [], {
      shell: args === undefined,
      ...(directory === undefined ? {} : { cwd: directory }),
      detached: process.platform !== "win32",
      env,
      stdio: ["pipe", "pipe", "pipe"],
    });
    child.stdout.on("data", (chunk: Buffer) => this.#read(chunk));
    child.stderr.on("data", (chunk: Buffer) => {
      log.debug("child.said", { text: chunk.toString("utf8", 0, MAX_LOG_CHARS) });
      this.#lastSaid = (this.#lastSaid + chunk.toString("utf8", Math.max(0, chunk.length - MAX_LOG_CHARS))).slice(
        -MAX_LOG_CHARS,
      );
    });
    // A child that is gone does not read; its exit tells the rest.
    child.stdin.on("error", () => {});
    child.on("error", (error) => this.#end(`it could not be started: ${error.message}`));
    child.on("exit", (code, signal) => {
      this.#hasExited = true;
      const reason = this.#killedFor ?? (signal === null ? `it ended with code ${code}` : `it was ended by ${signal}`);
      child.once("close", () => this.#end(reason));
      if (!this.#isTerminating) this.#finish(reason);
    });
    return child;
  }

  #read(chunk: Buffer): void {
    if (this.#hasEnded) return;
    const lines = this.#lines.push(chunk);
    if (!lines) return this.#kill(`a message of its is larger than ${MAX_MESSAGE_BYTES / 1024 ** 2} MiB`);
    for (const line of lines) {
      const message = toMessage(line);
      if (message === "too deep") return this.#kill("a message of its is nested too deeply");
      if (message) this.#options.onMessage(message);
      // Some servers print greetings where only messages belong.
      else this.#options.log.debug("child.rubbish");
    }
  }

  #kill(reason: string): void {
    if (this.#killedFor !== undefined) return;
    this.#killedFor = reason;
    this.#signal("SIGKILL");
  }

  #terminate(): void {
    this.#isTerminating = true;
    this.#signal("SIGTERM");
    this.#cancelTimer = this.#options.clock.after(PATIENCE_MS, () => this.#finish("it had to be killed"));
  }

  /** Kills what is left, who may hold its output open as well; waits for the rest of that, but not for ever. */
  #finish(reason: string): void {
    this.#signal("SIGKILL");
    this.#cancelTimer();
    this.#cancelTimer = this.#options.clock.after(LAST_WORDS_MS, () => {
      // Somebody who is not of the group holds them open still.
      for (const stream of [this.#process?.stdout, this.#process?.stderr]) stream?.destroy();
      this.#end(reason);
    });
  }

  /** To the whole group: shells and package runners do not pass signals on. */
  #signal(signal: NodeJS.Signals): void {
    const pid = this.#process?.pid;
    if (pid === undefined) return;
    try {
      if (process.platform === "win32") this.#process?.kill(signal);
      else process.kill(-pid, signal);
    } catch {
      // Gone already.
    }
  }

  #end(reason: string): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#cancelTimer();
    this.#stopStallWatch?.();
    // Who is left of the group, though not of those with its output.
    if (this.#hasExited) this.#signal("SIGKILL");
    // What nobody wanted is for its owner to look at: most often a command or a key that is missing.
    if (this.#isClosing) this.#options.log.info("child.ended", { reason });
    else this.#options.log.warn("child.ended", { reason, said: this.#lastSaid });
    this.#ended.resolve();
    this.#options.onExit(reason);
  }
}

/** Undefined for what is no message. */
function toMessage(line: string): JSONRPCMessage | "too deep" | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isTooDeep(value) ? "too deep" : parseJSONRPCMessage(value);
  } catch {
    return undefined;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
