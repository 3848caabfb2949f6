import type { Log, LogFields } from "../../src/system/deps.ts";
import { Inbox } from "./inbox.ts";

export type LogLine = LogFields & { readonly event: string };

/** Returns a log whose lines a test can wait for. The lines lack fields that were bound by `with`. */
export function inboxLog(): { readonly log: Log; readonly lines: Inbox<LogLine> } {
  const lines = new Inbox<LogLine>();
  const put = (event: string, fields: LogFields = {}): void => lines.put({ ...fields, event });
  const log: Log = { debug: put, info: put, warn: put, error: put, with: () => log };
  return { log, lines };
}
