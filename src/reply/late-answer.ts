import { ERRORS } from "../errors.ts";
import { isRecord, parseJson } from "../json/parse.ts";
import type { ResponseHead } from "../wire/heads.ts";
import { isCoded } from "./body-kind.ts";

/** How much of a late answer is kept to be quoted. */
const LATE_ANSWER_BYTES = 64 * 1024;
/** How much of it the error event quotes at most. */
const MAX_QUOTED_CHARS = 2000;

/** An error as an event of a stream reports it: a `Fault`, or the error that a model server answered. */
export interface StreamError {
  readonly status: number;
  readonly message: string;
  readonly param: string | null;
  /** A model server's code may be a number. */
  readonly code: string | number;
  /** A model server's own type; undefined for a fault. */
  readonly type?: string;
  /** The error in OpenAI's form. */
  body(): object;
}

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

  /** Returns the error that quotes the model server's answer, with its own code and type if it gave any. */
  toError(): StreamError {
    const { status, headers } = this.#head;
    const usual = {
      status,
      type: status < 500 ? "invalid_request_error" : ERRORS.upstream_error.type,
      param: null,
      code: "upstream_error",
    };
    if (isCoded(headers))
      return streamError({ ...usual, message: `The model server answered ${status}, with a compressed body.` });
    const text = new TextDecoder().decode(Buffer.concat(this.#pieces));
    const own = ownError(text);
    const message = textOf(own["message"]) ?? text.slice(0, MAX_QUOTED_CHARS);
    return streamError({
      ...usual,
      type: textOf(own["type"]) ?? usual.type,
      param: textOf(own["param"]) ?? null,
      code: typeof own["code"] === "number" ? own["code"] : (textOf(own["code"]) ?? usual.code),
      message: `The model server answered ${status}: ${message}`,
    });
  }
}

/** The event has the status as well, which no header can carry any more. */
function streamError(fields: Omit<StreamError, "body">): StreamError {
  return { ...fields, body: () => ({ error: fields }) };
}

/** The error object in a body of OpenAI's or Anthropic's form; empty for any other body. */
function ownError(text: string): Readonly<Record<string, unknown>> {
  const json = parseJson(text);
  const error = isRecord(json) ? json["error"] : undefined;
  return isRecord(error) ? error : {};
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value.slice(0, MAX_QUOTED_CHARS) : undefined;
}
