import { writeSync } from "node:fs";
import type { Clock } from "./deps.ts";

/** Lines that wait at most; past it they are written at once, so that a burst cannot fill memory. */
const MAX_WAITING_CHARS = 64 * 1024;
/** How long a line waits for company. One write a line would cost a busy server more than making the line. */
const GATHER_MS = 20;

export interface LogWriter {
  write(line: string): void;
  /** Writes what waits, now: before the process exits. */
  flush(): void;
}

/** Writes log lines to a file descriptor, gathered for a moment. Order is kept and nothing is dropped. */
export function createLogWriter(fd: number, clock: Clock): LogWriter {
  let waiting = "";
  const flush = (): void => {
    const text = waiting;
    waiting = "";
    writeAll(fd, text);
  };
  return {
    write(line) {
      if (waiting === "") clock.after(GATHER_MS, flush);
      waiting += `${line}\n`;
      if (waiting.length >= MAX_WAITING_CHARS) flush();
    },
    flush,
  };
}

function writeAll(fd: number, text: string): void {
  let bytes = Buffer.from(text);
  while (bytes.length > 0) {
    try {
      bytes = bytes.subarray(writeSync(fd, bytes));
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : undefined;
      if (code === "EAGAIN") continue; // A full pipe: its reader is slow, and lines are not dropped.
      return; // Nobody reads the log any more; the server goes on without it.
    }
  }
}
