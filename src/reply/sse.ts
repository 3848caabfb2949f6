/** The position of an event stream after the bytes sent so far. It decides what may follow. */
export type LineState = "boundary" | "line" | "inside";

const LF = 0x0a;
const CR = 0x0d;

/**
 * Returns where the stream stands after `bytes`: between two events (`boundary`), between two lines of one (`line`), or inside a
 * line. Looks at the last three bytes only.
 */
export function lineStateAfter(bytes: Uint8Array, before: LineState): LineState {
  const length = bytes.length;
  if (length === 0) return before;
  if (bytes[length - 1] !== LF) return "inside";
  if (length === 1) return before === "inside" ? "line" : "boundary";
  const previous = bytes[length - 2];
  if (previous === LF) return "boundary";
  if (previous !== CR) return "line";
  if (length === 2) return before === "inside" ? "line" : "boundary";
  return bytes[length - 3] === LF ? "boundary" : "line";
}

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
