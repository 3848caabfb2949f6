import type { LineState } from "../wire/line-state.ts";

/**
 * Writes a comment that keeps the connection alive. It ends with a single newline: some clients dispatch an empty event on a
 * blank line (openai-python issue 2722), while all ignore a comment line between events or between the lines of one.
 */
export function comment(text: string): string {
  return `: ${text}\n`;
}

/** Returns what must precede an event of our own, so that it does not become part of an open line or event. */
export function separator(state: LineState): string {
  return state === "boundary" ? "" : state === "line" ? "\n" : "\n\n";
}

/** Writes an event without a name. */
export function dataEvent(json: object): string {
  return `data: ${JSON.stringify(json)}\n\n`;
}

/** Writes an event with a name. */
export function namedEvent(name: string, json: object): string {
  return `event: ${name}\ndata: ${JSON.stringify(json)}\n\n`;
}
