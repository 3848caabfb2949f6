/** Where an event stream stands after the bytes sent so far; decides what may be put between them. */
export type LineState = "boundary" | "line" | "inside";

const LF = 0x0a;
const CR = 0x0d;

/** After `bytes`: between two events, between two lines of one, or inside a line. Looks at the last bytes only. */
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
 * A comment that keeps the connection alive. One newline only: some clients dispatch an empty event on a blank line
 * (openai-python issue 2722), while a comment line between events or between lines of one is ignored by all.
 */
export function comment(text: string): string {
  return `: ${text}\n`;
}

/** What must come before an event of our own so that it stands alone. */
export function separator(state: LineState): string {
  return state === "boundary" ? "" : state === "line" ? "\n" : "\n\n";
}

export function dataEvent(json: object): string {
  return `data: ${JSON.stringify(json)}\n\n`;
}

export function namedEvent(name: string, json: object): string {
  return `event: ${name}\ndata: ${JSON.stringify(json)}\n\n`;
}
