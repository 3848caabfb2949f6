import { type ChildProcess, spawn } from "node:child_process";
import { type JSONRPCMessage, parseJSONRPCMessage, serializeMessage } from "@modelcontextprotocol/server";
import type { CancelTimer, Clock, Log } from "../../../system/deps.ts";
import { isTooDeep, tooDeepError } from "./depth.ts";
import { LineReader, type LongLine } from "./line-reader.ts";
import { longResponseId } from "./long-response.ts";
import { MAX_MESSAGE_BYTES, type Peer, type PeerEvents } from "./peer.ts";
import { RPC, rpcError } from "./rpc-error.ts";

export interface ChildOptions extends PeerEvents {
  /** A program if there are arguments, else a line for the shell. */
  readonly command: string;
  readonly args?: readonly string[] | undefined;
  readonly directory?: string | undefined;
  readonly env: Readonly<Record<string, string>>;
  /** Called with the process group of a program that has started. The returned function is called when that has ended. */
  readonly watchGroup: (group: number) => () => void;
  readonly clock: Clock;
  readonly log: Log;
}

/** The longest line that is skipped to its end. A program that writes a longer one is broken. */
const MAX_LINE_BYTES = 1024 * 1024 * 1024;
/** How long a child may take to end after its input has ended, and again after SIGTERM. */
const PATIENCE_MS = 2000;
/** How long a child whose buffer is full may read nothing at all. */
const STALL_MS = 30_000;
/** How long the rest of its output may take once a child has exited: only a process that left its group can hold it open. */
const LAST_WORDS_MS = 500;
const TOO_LARGE = `is larger than ${MAX_MESSAGE_BYTES / 1024 ** 2} MiB`;
/** The most characters of a child's standard error that are logged, for the worker's operator. */
const MAX_LOG_CHARS = 500;

/**
 * An MCP server that speaks on its standard input and output, one message per line. It runs in a process group of its
 * own, so that the processes it starts end with it.
 */
export class StdioChild implements Peer {
  readonly #options: ChildOptions;
  /** Undefined when it could not be started, for example because of too many processes or open files. */
  readonly #process: ChildProcess | undefined;
  readonly #lines = new LineReader({ maxBytes: MAX_MESSAGE_BYTES, maxSkippedBytes: MAX_LINE_BYTES });
  readonly #ended = Promise.withResolvers<void>();
  /** Bytes written that the child has not read. Counted here, since Bun's own `writableLength` is always 0. */
  #unreadBytes = 0;
  #readBytes = 0;
  #stopStallWatch: CancelTimer | undefined;
  #isClosing = false;
  /** Why the child was killed, if it was. */
  #killedFor: string | undefined;
  /** The end of its standard error. */
  #errorTail = "";
  /** Whether the group has been sent SIGTERM and still has time: a shell does not wait for the processes it started. */
  #isTerminating = false;
  #hasExited = false;
  #hasEnded = false;
  #cancelTimer: CancelTimer = () => {};
  #unwatchGroup: () => void = () => {};

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
    // Its exit will be reported at once, with the reason.
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

  /** Ends its input, then sends SIGTERM, then SIGKILL. */
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
    if (child.pid !== undefined) this.#unwatchGroup = this.#options.watchGroup(child.pid);
    child.stdout.on("data", (chunk: Buffer) => this.#read(chunk));
    child.stderr.on("data", (chunk: Buffer) => {
      log.debug("child.said", { text: chunk.toString("utf8", 0, MAX_LOG_CHARS) });
      this.#errorTail = (this.#errorTail + chunk.toString("utf8", Math.max(0, chunk.length - MAX_LOG_CHARS))).slice(
        -MAX_LOG_CHARS,
      );
    });
    // A child that is gone does not read; its exit is reported separately.
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
    if (!lines) return this.#kill("it wrote a line without an end");
    for (const line of lines) {
      const message = typeof line === "string" ? toMessage(line) : this.#toRefusal(line);
      if (message) this.#options.onMessage(message);
      // Some servers print greetings among the messages.
      else this.#options.log.debug("child.rubbish");
    }
  }

  /** Returns the error with which a call fails whose response is too large; undefined for any other message. */
  #toRefusal(line: LongLine): JSONRPCMessage | undefined {
    const id = longResponseId(line);
    this.#options.log.warn("child.message_skipped", { reason: TOO_LARGE, is_response: id !== undefined });
    return id === undefined ? undefined : rpcError(RPC.internal, `The MCP server's response ${TOO_LARGE}.`, id);
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

  /** Kills the rest of the group, which may hold the output open, and waits a limited time for the rest of the output. */
  #finish(reason: string): void {
    this.#signal("SIGKILL");
    this.#cancelTimer();
    this.#cancelTimer = this.#options.clock.after(LAST_WORDS_MS, () => {
      // A process outside the group still holds them open.
      for (const stream of [this.#process?.stdout, this.#process?.stderr]) stream?.destroy();
      this.#end(reason);
    });
  }

  /** Sends a signal to the whole group: shells and package runners do not forward signals. */
  #signal(signal: NodeJS.Signals): void {
    const pid = this.#process?.pid;
    if (pid === undefined) return;
    try {
      if (process.platform === "win32") this.#process?.kill(signal);
      else process.kill(-pid, signal);
    } catch {
      // The group has ended already.
    }
  }

  #end(reason: string): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#cancelTimer();
    this.#stopStallWatch?.();
    // Kills the rest of the group, which did not hold the output open.
    if (this.#hasExited) this.#signal("SIGKILL");
    this.#unwatchGroup();
    // The operator should look at an unexpected end: most often a command or a key is missing.
    if (this.#isClosing) this.#options.log.info("child.ended", { reason });
    else this.#options.log.warn("child.ended", { reason, said: this.#errorTail });
    this.#ended.resolve();
    this.#options.onExit(reason);
  }
}

/**
 * Reads one line; undefined for anything that is not a message. A response that cannot be passed on becomes an error, so
 * that its call fails alone.
 */
function toMessage(line: string): JSONRPCMessage | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isTooDeep(value) ? tooDeepError(value) : parseJSONRPCMessage(value);
  } catch {
    return undefined;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
