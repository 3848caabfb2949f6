import { writeSync } from "node:fs";
import type { Clock } from "./deps.ts";

/** How much text is gathered at most before it is written at once. */
const GATHERED_CHARS = 64 * 1024;
/** How long a line waits for others. One write per line would cost a busy server more than making the line. */
const GATHER_MS = 20;
/**
 * How much text waits for a log reader that has stopped reading. Beyond it lines are dropped and counted, so that the
 * server continues.
 */
const MAX_WAITING_BYTES = 4 * 1024 * 1024;
/** How often a write to a stopped reader is tried again. */
const RETRY_MS = 100;

export interface LogWriter {
  write(line: string): void;
  /** Writes as much as possible now, before the process exits. */
  flush(): void;
}

/** Returns the number of bytes written. Throws `EAGAIN` if none can be written now, and another error if none ever can. */
export type Write = (bytes: Uint8Array) => number;

/** Writes log lines to a file descriptor in order, gathered for a moment. Never waits for the reader. */
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

/** Writes as much as the descriptor accepts and returns the rest. */
function writeSome(write: Write, bytes: Buffer<ArrayBuffer>): Buffer<ArrayBuffer> {
  let rest = bytes;
  while (rest.length > 0) {
    try {
      rest = rest.subarray(write(rest));
    } catch (error) {
      const isFull = error instanceof Error && "code" in error && error.code === "EAGAIN";
      // The log has no reader any more; the server continues without it.
      return isFull ? rest : Buffer.alloc(0);
    }
  }
  return rest;
}

/** Writes to standard output. */
export const toStdout: Write = (bytes) => writeSync(1, bytes);
