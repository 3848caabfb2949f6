import { Fault } from "../errors.ts";
import { isRecord, parseJson } from "../json/parse.ts";
import type { ResponseHead } from "../wire/frame.ts";
import { isCoded } from "./body-kind.ts";

/** How much of a late answer is kept to be quoted. */
const LATE_ANSWER_BYTES = 64 * 1024;
/** How much of it the error event quotes at most. */
const MAX_QUOTED_CHARS = 2000;

/**
 * An answer that is not an event stream, but arrived after one had been opened for the client with status 200. It can only
 * be reported in an error event, so its start is kept.
 */
export class LateAnswer {
  readonly #head: ResponseHead;
  readonly #pieces: Uint8Array[] = [];
  #bytes = 0;

  constructor(head: ResponseHead) {
    this.#head = head;
  }

  push(bytes: Uint8Array): void {
    if (this.#bytes < LATE_ANSWER_BYTES) this.#pieces.push(bytes);
    this.#bytes += bytes.length;
  }

  /** Returns the error that quotes the model server's answer. */
  toFault(): Fault {
    const { status, headers } = this.#head;
    if (isCoded(headers)) {
      return new Fault("upstream_error", { message: `The model server answered ${status}, with a compressed body.` });
    }
    const text = new TextDecoder().decode(Buffer.concat(this.#pieces));
    const quoted = (errorMessage(text) ?? text).slice(0, MAX_QUOTED_CHARS);
    return new Fault("upstream_error", { message: `The model server answered ${status}: ${quoted}` });
  }
}

/** The message in an error body of OpenAI's form. */
function errorMessage(text: string): string | undefined {
  const json = parseJson(text);
  const error = isRecord(json) ? json["error"] : undefined;
  return isRecord(error) && typeof error["message"] === "string" ? error["message"] : undefined;
}
