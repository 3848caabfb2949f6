import type { LogLevel } from "../system/log.ts";
import { word } from "./kinds.ts";
import type { Kind } from "./setting.ts";

/** The lowest level that is written. The synonyms are words of other programs, nfrx among them. */
export const logLevel: Kind<LogLevel> = word(["debug", "info", "warn", "error", "none"], {
  all: "debug",
  trace: "debug",
  warning: "warn",
  fatal: "error",
  off: "none",
});
