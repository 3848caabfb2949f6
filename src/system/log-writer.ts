import { writeSync } from "node:fs";
import type { Clock } from "./deps.ts";

/** Lines that are gathered at most; past it they are written at once. */
const GATHERED_CHARS = 64 * 1024;
/** How long a line waits for company. One write a line would cost a busy server more than making the line. */
const GATHER_MS = 20;
/** What waits for a log reader that has stopped reading. Past it lines are dropped and counted: the server goes on. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024;
/** How often a stopped reader is tried again. */
const RETRY_MS = 100;

export interface LogWriter {
  write(line: string): void;
  /** Writes what can be written, now: before the process exits. */
  flush(): void;
}

/** Gives how many bytes were taken; throws `EAGAIN` when none can be, anything else when none ever will. */
export type Write = (bytes: Uint8Array) => number;

/** Writes log lines to a file descriptor, gathered for a moment, in order. Never waits for whoever reads them. */
export function createLogWriter(clock: Clock, write: Write): LogWriter {
  let gathered = "";
  let waiting = Buffer.alloc(0);
  let dropped = 0;
  let isTimed = false;
  const flushIn = (ms: number): void => {
    if (isTimed) return;
    isTimed = true;
    clock.after(ms, () => {
      isTimed = false;
      flush();
    });
  };
  const flush = (): void => {
    if (waiting.length > MAX_WAITING_BYTES) dropped += gathered.split("\n").length - 1;
    else {
      const note = dropped > 0 ? `{"level":"warn","event":"log.dropped","lines":${dropped}}\n` : "";
      dropped = 0;
      waiting = Buffer.concat([waiting, Buffer.from(note + gathered)]);
    }
    gathered = "";
    waiting = writeSome(write, waiting);
    if (waiting.length > 0) flushIn(RETRY_MS);
  };
  return {
    write(line) {
      gathered += `${line}\n`;
      if (gathered.length >= GATHERED_CHARS) flush();
      else flushIn(GATHER_MS);
    },
    flush,
  };
}

/** Writes as much as is taken and gives back the rest. */
function writeSome(write: Write, bytes: Buffer<ArrayBuffer>): Buffer<ArrayBuffer> {
  let rest = bytes;
  while (rest.length > 0) {
    try {
      rest = rest.subarray(write(rest));
    } catch (error) {
      const isFull = error instanceof Error && "code" in error && error.code === "EAGAIN";
      // Nobody reads the log any more: the server goes on without it.
      return isFull ? rest : Buffer.alloc(0);
    }
  }
  return rest;
}

/** Writes to standard output. */
export const toStdout: Write = (bytes) => writeSync(1, bytes);
