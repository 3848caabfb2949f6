import { type LineState, lineStateAfter } from "./line-state.ts";

/**
 * The events after which a stream of a known API has nothing more to say, by their names or the `type` of their data:
 * Anthropic's Messages, OpenAI's Responses, transcriptions, speech and images. An error is told in an `error` event.
 */
const TERMINAL_EVENTS: ReadonlySet<string> = new Set([
  "message_stop",
  "response.completed",
  "response.failed",
  "response.incomplete",
  "transcript.text.done",
  "speech.audio.done",
  "image_generation.completed",
  "image_edit.completed",
  "error",
]);

/** The data of the last event of OpenAI's chat and completions. */
const DONE = "[DONE]";

const EMPTY = new Uint8Array(0);
const BLANK_LINE = /\r?\n\r?\n/;
const LF = 0x0a;
const CR = 0x0d;
const COLON = 0x3a;

/** How much of an event is kept after the piece in which it begins, for streams that are cut into very small pieces. */
const MORE_BYTES = 1024;

/**
 * Follows an event stream, independent of how it is cut into pieces, and knows at any time whether its last event was one
 * that ends a stream. It keeps a view on the piece in which the last event begins. A piece that begins with an event is not
 * looked into, and events are read only when `isTerminal` is asked for.
 */
export class LastEvent {
  /** Begins between two events and contains the beginning of the last one. */
  #opening: Uint8Array = EMPTY;
  /** The bytes that followed the opening, as far as they are kept. */
  #more: Uint8Array = EMPTY;
  #state: LineState = "boundary";

  push(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    const at = this.#state === "boundary" && beginsField(bytes[0]) ? 0 : fieldIn(bytes, this.#state);
    if (at >= 0) {
      this.#opening = at === 0 ? bytes : bytes.subarray(at);
      this.#more = EMPTY;
    } else {
      // Comments and blank lines leave the stream between two events.
      if (this.#state === "boundary" && bytes[bytes.length - 1] === LF) return;
      const room = MORE_BYTES - this.#more.length;
      if (room > 0) this.#more = Buffer.concat([this.#more, bytes.subarray(0, room)]);
    }
    this.#state = lineStateAfter(bytes, this.#state);
  }

  /** Whether the stream stands inside a line, so that its end would lose a part of an event. */
  get isInsideLine(): boolean {
    return this.#state === "inside";
  }

  /** Whether the last event has arrived and is one after which nothing follows. */
  get isTerminal(): boolean {
    const text = toText(this.#opening) + toText(this.#more);
    const last = text.split(BLANK_LINE).findLast(hasData);
    if (last === undefined) return false;
    const { name, data } = fieldsOf(last);
    // This one is recognized although its line may not have ended. JSON without its line's end may be incomplete.
    if (data === DONE) return true;
    if (this.#state === "inside") return false;
    return TERMINAL_EVENTS.has(name ?? typeOf(data));
  }
}

function beginsField(byte: number | undefined): boolean {
  return byte !== COLON && byte !== LF && byte !== CR;
}

/** Returns the position of the first event that begins in a piece; -1 if none does. */
function fieldIn(bytes: Uint8Array, before: LineState): number {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = before === "boundary" ? 0 : afterBlankLine(buffer, before);
  while (at >= 0 && at < buffer.length) {
    if (beginsField(buffer[at])) return at;
    // A comment ends with its line, a blank line with itself.
    const lineEnd = buffer.indexOf(LF, at);
    at = lineEnd < 0 ? -1 : lineEnd + 1;
  }
  return -1;
}

/** Returns the position after the first blank line; -1 if there is none. */
function afterBlankLine(buffer: Buffer, before: LineState): number {
  if (before === "line" && buffer[0] === LF) return 1;
  if (before === "line" && buffer[0] === CR && buffer[1] === LF) return 2;
  const withLf = buffer.indexOf("\n\n");
  const withCr = buffer.indexOf("\n\r\n");
  if (withCr < 0) return withLf < 0 ? -1 : withLf + 2;
  return withLf >= 0 && withLf < withCr ? withLf + 2 : withCr + 3;
}

/** Decodes bytes that may be cut inside a character: the names that are looked for are ASCII. */
function toText(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
}

function hasData(event: string): boolean {
  return /^data/m.test(event);
}

/** Returns an event's name and the first line of its data. */
function fieldsOf(event: string): { readonly name: string | undefined; readonly data: string } {
  return { name: /^event: ?(.*?)\r?$/m.exec(event)?.[1], data: /^data: ?(.*?)\r?$/m.exec(event)?.[1] ?? "" };
}

/**
 * Returns the type that an event's data names first; `error` for OpenAI's error object, and an empty text for any other
 * data.
 */
function typeOf(data: string): string {
  if (/^\{\s*"error"\s*:\s*[{"]/.test(data)) return "error";
  return /^\{\s*"type"\s*:\s*"([\w.]{1,64})"/.exec(data)?.[1] ?? "";
}
