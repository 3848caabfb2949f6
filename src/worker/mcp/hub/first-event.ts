import type { Range } from "../../../json/scan.ts";

/** The first event of a stream that has data, as far as the bytes show it. */
export type FirstEvent =
  | { readonly kind: "data"; readonly data: Range; readonly end: number }
  /** It has not come whole. */
  | { readonly kind: "incomplete" }
  /** It is more than one line of data in a message. */
  | { readonly kind: "other" };

const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const INCOMPLETE: FirstEvent = { kind: "incomplete" };
const OTHER: FirstEvent = { kind: "other" };

/** The fields of events, as they begin a line. */
const DATA = Buffer.from("data:");
const TYPE = Buffer.from("event:");
const ID = Buffer.from("id:");
/** The types of events that are messages. */
const MESSAGE_TYPES: ReadonlySet<string> = new Set(["", "message"]);

/**
 * Finds the first event with data. Comments and events without data are passed over; servers begin with one whose id makes the stream
 * resumable.
 */
export function firstEvent(bytes: Uint8Array): FirstEvent {
  let data: Range | undefined;
  let from = 0;
  for (;;) {
    const newline = bytes.indexOf(LF, from);
    if (newline < 0) return INCOMPLETE;
    const end = bytes[newline - 1] === CR && newline > from ? newline - 1 : newline;
    const line = bytes.subarray(from, end);
    from = newline + 1;
    // A line may also end with this byte alone.
    if (line.includes(CR)) return OTHER;
    if (line.length === 0) {
      if (data) return { kind: "data", data, end: from };
    } else if (beginsWith(line, DATA)) {
      const value = valueIn(line, DATA);
      if (data) return OTHER;
      if (value.length > 0) data = { start: end - value.length, end };
    } else if (beginsWith(line, TYPE)) {
      if (!MESSAGE_TYPES.has(Buffer.from(valueIn(line, TYPE)).toString())) return OTHER;
    } else if (line[0] !== COLON && !beginsWith(line, ID)) return OTHER;
  }
}

const COLON = 0x3a;

function beginsWith(line: Uint8Array, field: Uint8Array): boolean {
  return line.length >= field.length && field.every((byte, at) => line[at] === byte);
}

function valueIn(line: Uint8Array, field: Uint8Array): Uint8Array {
  return line.subarray(line[field.length] === SPACE ? field.length + 1 : field.length);
}
