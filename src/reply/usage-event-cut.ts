import { isRecord, parseJson } from "../json/parse.ts";
import { leadingMembersOf, type Range } from "../json/scan.ts";

/**
 * The longest event that is held until it is whole. An event with the usage has less than 1 KiB in every known server, and
 * the longest name of a model adds 512 characters. A longer event passes.
 */
const MAX_EVENT_BYTES = 4 * 1024;

const LF = 0x0a;
const CR = 0x0d;
const COLON = 0x3a;
const OPEN_OBJECT = 0x7b;
const DATA = /^data:[ ]?/;
const EMPTY = new Uint8Array(0);

/**
 * The place in the stream after the bytes so far: between two events, in a comment between two events, or in an event that
 * has passed as far as it is there.
 */
type Place = "between" | "comment" | "event";

/** The unfinished line at the end of the bytes so far: empty, a carriage return that may be the end of it, or text. */
type Line = "empty" | "return" | "text";

/**
 * Removes one event from an event stream: the first with an object `usage` and no `choices`, by which a server of
 * OpenAI's API states the usage of a stream that was asked for it. Everything else passes byte for byte. It passes at once,
 * except for an event that may still turn out to be this one: that is held until it is whole, or longer than 4 KiB.
 * Comments pass even if they stand inside the event that is removed.
 */
export class UsageEventCut {
  readonly #pass: (bytes: Uint8Array) => void;
  #place: Place = "between";
  #line: Line = "empty";
  /** The beginning of an event that may be the one. */
  #held: Uint8Array = EMPTY;
  /** Whether the event was removed, or can no longer come. */
  #isOver = false;

  /** `pass` gets what passes, never an empty piece. */
  constructor(pass: (bytes: Uint8Array) => void) {
    this.#pass = pass;
  }

  /** Takes bytes of the stream. Returns how many bytes were removed. */
  push(bytes: Uint8Array): number {
    if (this.#isOver) {
      this.#emit(bytes);
      return 0;
    }
    const all = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes]);
    this.#held = EMPTY;
    let at = this.#afterOpenEvent(all);
    for (;;) {
      at = this.#afterComments(all, at);
      if (at === all.length) break;
      const end = this.#endOfEvent(all, at);
      const event = end < 0 ? all.subarray(at) : all.subarray(at, end);
      if (end < 0) {
        if (event.length <= MAX_EVENT_BYTES && mayBecomeUsage(event)) {
          this.#place = "between";
          this.#line = "empty";
          this.#emit(all.subarray(0, at));
          // A copy, because a view would keep the whole of a large piece in memory.
          this.#held = Uint8Array.from(event);
          return 0;
        }
        break;
      }
      if (event.length <= MAX_EVENT_BYTES && statesUsage(event)) {
        this.#isOver = true;
        const comments = commentsIn(event);
        this.#emit(all.subarray(0, at));
        this.#emit(comments);
        this.#emit(all.subarray(end));
        return event.length - comments.length;
      }
      at = end;
    }
    this.#emit(all);
    return 0;
  }

  /** Passes what is held, because the stream has ended, in whichever way. */
  end(): void {
    const held = this.#held;
    this.#held = EMPTY;
    this.#isOver = true;
    this.#emit(held);
  }

  #emit(bytes: Uint8Array): void {
    if (bytes.length > 0) this.#pass(bytes);
  }

  /** Returns the position after the event or comment in which the bytes so far have ended. */
  #afterOpenEvent(bytes: Uint8Array): number {
    if (this.#place === "event") {
      const end = this.#endOfEvent(bytes, 0);
      return end < 0 ? bytes.length : end;
    }
    if (this.#place !== "comment") return 0;
    const end = bytes.indexOf(LF);
    if (end < 0) return bytes.length;
    this.#place = "between";
    return end + 1;
  }

  /** Returns the position after blank lines and comments. */
  #afterComments(bytes: Uint8Array, from: number): number {
    let at = from;
    while (at < bytes.length) {
      const byte = bytes[at];
      if (byte === LF) at += 1;
      else if (byte === CR && bytes[at + 1] === LF) at += 2;
      else if (byte === COLON) {
        const end = bytes.indexOf(LF, at);
        if (end < 0) {
          this.#place = "comment";
          return bytes.length;
        }
        at = end + 1;
      } else break;
    }
    return at;
  }

  /** Returns the position after the blank line that ends the event at `from`; -1 if there is none, and notes the place. */
  #endOfEvent(bytes: Uint8Array, from: number): number {
    let at = from;
    let line: Line = this.#place === "event" ? this.#line : "empty";
    while (at < bytes.length) {
      const end = bytes.indexOf(LF, at);
      const stop = end < 0 ? bytes.length : end;
      line = lineWith(line, bytes, at, stop);
      if (end < 0) break;
      at = end + 1;
      if (line !== "text") {
        this.#place = "between";
        this.#line = "empty";
        return at;
      }
      line = "empty";
    }
    this.#place = "event";
    this.#line = line;
    return -1;
  }
}

/** Returns what a line is with the bytes from `from` to `to` added to it. */
function lineWith(line: Line, bytes: Uint8Array, from: number, to: number): Line {
  if (from === to) return line;
  return line === "empty" && to - from === 1 && bytes[from] === CR ? "return" : "text";
}

/** Whether a whole event is the one with the usage. */
function statesUsage(event: Uint8Array): boolean {
  const text = toText(event);
  // The native search settles nearly every event.
  if (!text.includes('"usage"')) return false;
  const json = parseJson(dataIn(text));
  if (!isRecord(json)) return false;
  const { choices, usage } = json;
  return Array.isArray(choices) && choices.length === 0 && isRecord(usage);
}

/** Whether an event of which this is the beginning may be the one with the usage. */
function mayBecomeUsage(event: Uint8Array): boolean {
  const data = Buffer.from(dataIn(toText(event)), "latin1");
  const first = data.find((byte) => byte > 0x20);
  if (first === undefined) return true;
  if (first !== OPEN_OBJECT) return false;
  const members = leadingMembersOf(data);
  const begins = (name: string, pattern: RegExp): boolean => {
    const range = members?.get(name);
    return range === undefined || pattern.test(textIn(data, range));
  };
  return begins("choices", /^\[\s*(?:\]|$)/) && begins("usage", /^\{/);
}

/** Returns an event's data: the rest of its `data:` lines, which belong together. */
function dataIn(event: string): string {
  return event
    .split("\n")
    .filter((line) => DATA.test(line))
    .map((line) => line.replace(DATA, ""))
    .join("\n");
}

/** Returns the comment lines of an event, which are no part of it. */
function commentsIn(event: Uint8Array): Uint8Array {
  const lines = toText(event).split(/(?<=\n)/);
  return Buffer.from(lines.filter((line) => line.startsWith(":")).join(""), "latin1");
}

/** How much of a value is looked at to see how it begins. */
const LOOKED_AT_BYTES = 64;

function textIn(bytes: Uint8Array, { start, end }: Range): string {
  return toText(bytes.subarray(start, Math.min(end, start + LOOKED_AT_BYTES)));
}

/** Decodes bytes one by one, so that a cut character is no error. All that is looked for is ASCII. */
function toText(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
}
