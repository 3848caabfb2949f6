import type { Log, LogFields } from "./deps.ts";
import { KeyMask } from "./key-mask.ts";

export type LogLevel = LineLevel | "none";
type LineLevel = "debug" | "info" | "warn" | "error";
export type LogFormat = "json" | "pretty";

const RANK: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3, none: 4 };

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** Takes one finished line without its newline. */
  readonly write: (line: string) => void;
  readonly now: () => number;
  /** Takes keys out of each line. Absent: only made keys are known. */
  readonly mask?: KeyMask | undefined;
}

/** Creates a log with one line per fact. JSON escapes control characters, so no worker or client can forge a line. */
export function createLog(options: LogOptions, bound: LogFields = {}): Log {
  const { mask = new KeyMask() } = options;
  const boundText = fieldsText(bound);
  const timeText = createTimeText();
  const emit = (level: LineLevel, event: string, fields: LogFields = {}): void => {
    if (RANK[level] < RANK[options.level]) return;
    const time = timeText(options.now());
    const line =
      options.format === "json"
        ? `{"time":"${time}","level":"${level}","event":"${event}"${boundText}${fieldsText(fields)}}`
        : prettyLine(time, level, event, { ...bound, ...fields });
    options.write(mask.apply(line));
  };
  return {
    debug: (event, fields) => emit("debug", event, fields),
    info: (event, fields) => emit("info", event, fields),
    warn: (event, fields) => emit("warn", event, fields),
    error: (event, fields) => emit("error", event, fields),
    with: (fields) => createLog(options, { ...bound, ...fields }),
  };
}

/**
 * Formats a time in milliseconds as ISO 8601. The last result is kept, because a busy server writes many lines in one
 * millisecond.
 */
function createTimeText(): (ms: number) => string {
  let last = Number.NaN;
  let text = "";
  return (ms) => {
    if (ms !== last) text = new Date(ms).toISOString();
    last = ms;
    return text;
  };
}

/** Writes `,"key":value` for each field. Bound fields are written once, and a line's own fields need no merged object. */
function fieldsText(fields: LogFields): string {
  const text = JSON.stringify(fields);
  return text === "{}" ? "" : `,${text.slice(1, -1)}`;
}

function prettyLine(time: string, level: LogLevel, event: string, fields: LogFields): string {
  const parts = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`);
  return `${time.slice(11, 19)} ${level.toUpperCase().padEnd(5)} ${event} ${parts.join(" ")}`.trimEnd();
}

/** A log that writes nothing, for tests and one-shot commands. */
export const silentLog: Log = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  with: () => silentLog,
};
