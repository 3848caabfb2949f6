import type { Log, LogFields } from "./deps.ts";

export type LogLevel = "debug" | "info" | "warn" | "error";
export type LogFormat = "json" | "pretty";

const RANK: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** Takes one finished line without its newline. */
  readonly write: (line: string) => void;
  readonly now: () => number;
}

/** One line per fact. JSON escapes control characters, so no worker or client can forge a line. */
export function createLog(options: LogOptions, bound: LogFields = {}): Log {
  const emit = (level: LogLevel, event: string, fields: LogFields = {}): void => {
    if (RANK[level] < RANK[options.level]) return;
    const time = new Date(options.now()).toISOString();
    const all = { ...bound, ...fields };
    options.write(
      options.format === "json" ? JSON.stringify({ time, level, event, ...all }) : prettyLine(time, level, event, all),
    );
  };
  return {
    debug: (event, fields) => emit("debug", event, fields),
    info: (event, fields) => emit("info", event, fields),
    warn: (event, fields) => emit("warn", event, fields),
    error: (event, fields) => emit("error", event, fields),
    with: (fields) => createLog(options, { ...bound, ...fields }),
  };
}

function prettyLine(time: string, level: LogLevel, event: string, fields: LogFields): string {
  const parts = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`);
  return `${time.slice(11, 19)} ${level.toUpperCase().padEnd(5)} ${event} ${parts.join(" ")}`.trimEnd();
}

/** A log that says nothing: for tests and one-shot commands. */
export const silentLog: Log = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  with: () => silentLog,
};
