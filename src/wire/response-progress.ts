import { toLength } from "./declared-length.ts";
import type { HeaderPairs } from "./heads.ts";
import { LastEvent } from "./last-event.ts";

/** The part of a response that has arrived, measured by what the response says of itself. */
export class ResponseProgress {
  readonly #declared: number | undefined;
  /** Undefined for a response that is no event stream in plain text. */
  readonly #events: LastEvent | undefined;
  #bytes = 0;

  constructor(headers: HeaderPairs) {
    let isEventStream = false;
    let isCoded = false;
    for (const [name, value] of headers) {
      const lower = name.toLowerCase();
      if (lower === "content-length") this.#declared = toLength(value);
      else if (lower === "content-type") isEventStream = isEventStreamType(value);
      else if (lower === "content-encoding") isCoded = isContentCoding(value);
    }
    this.#events = isEventStream && !isCoded ? new LastEvent() : undefined;
  }

  push(bytes: Uint8Array): void {
    this.#bytes += bytes.length;
    this.#events?.push(bytes);
  }

  /**
   * Whether nothing is missing: every byte of the declared length has arrived, or the last event of a stream that ends with
   * one. A response that declares neither is never known to be whole.
   */
  get isWhole(): boolean {
    return this.#declared === undefined ? this.#events?.isTerminal === true : this.#bytes === this.#declared;
  }
}

/** Returns whether a Content-Encoding names a coding, such as a compression. */
export function isContentCoding(contentEncoding: string): boolean {
  return !/^\s*(?:identity)?\s*$/i.test(contentEncoding);
}

/** Returns whether a content type is that of server-sent events. */
export function isEventStreamType(contentType: string): boolean {
  return /^\s*text\/event-stream\s*(?:;|$)/i.test(contentType);
}
