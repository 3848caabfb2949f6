/** The position of an event stream after the bytes sent so far. It decides what may follow. */
export type LineState = "boundary" | "line" | "inside";

const LF = 0x0a;
const CR = 0x0d;

/**
 * Returns where the stream stands after `bytes`: between two events (`boundary`), between two lines of one (`line`), or
 * inside a line. Looks at the last three bytes only.
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
