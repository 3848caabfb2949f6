import { membersOf } from "../../json/scan.ts";
import { LastBytes } from "../../reply/last-bytes.ts";

/** A JSON-RPC error, or the result of a tool that failed, which has no code. */
export interface RpcFailure {
  readonly code: number | undefined;
}

const FAILED_TOOL: RpcFailure = { code: undefined };

/** A failed tool's flag in an answer whose beginning is not known. The quotes of text inside a string would be escaped. */
const FAILED_FLAG = /[{,]\s*"isError"\s*:\s*true\s*[,}]/;

/**
 * Finds out whether an answer is a JSON-RPC error or the result of a tool that failed, by its last bytes: errors are short, and
 * a result states `isError` after its content. It is used for counting only.
 */
export class RpcVerdict {
  readonly #last = new LastBytes();

  add(bytes: Uint8Array): void {
    this.#last.push(bytes);
  }

  /** Looks at what was added, and returns the failure; undefined if there is none. Call it once, at the end of the answer. */
  failure(isEventStream: boolean): RpcFailure | undefined {
    const { isCut } = this.#last;
    const { buffer, byteOffset, length } = this.#last.bytes;
    const tail = Buffer.from(buffer, byteOffset, length);
    // The native search settles nearly every answer.
    if (!tail.includes('"error"') && !tail.includes('"isError"')) return undefined;
    if (isEventStream) return failureInEvents(tail.toString(), isCut);
    if (isCut) return FAILED_FLAG.test(tail.toString()) ? FAILED_TOOL : undefined;
    return failureIn(tail) || undefined;
  }

  /** Whether there is a failure: see `failure`. */
  isFailure(isEventStream: boolean): boolean {
    return this.failure(isEventStream) !== undefined;
  }
}

/** Looks for the response in an event stream: the last of its messages that is one. */
function failureInEvents(text: string, isCut: boolean): RpcFailure | undefined {
  const events = text.split(/\r?\n\r?\n/);
  for (let at = events.length - 1; at >= 0; at -= 1) {
    const event = events[at] ?? "";
    const data = [...event.matchAll(/^data: ?(.*?)\r?$/gm)].map(([, line]) => line).join("\n");
    const failure = failureIn(Buffer.from(data));
    if (failure !== undefined) return failure || undefined;
    if (at === 0 && isCut) return FAILED_FLAG.test(event) ? FAILED_TOOL : undefined;
  }
  return undefined;
}

/** Returns the failure in a message; false for the result of a success, and undefined for a message that is no response. */
function failureIn(body: Uint8Array): RpcFailure | false | undefined {
  const members = membersOf(body);
  const error = members?.get("error");
  if (error) return { code: codeIn(body, error.start) };
  const result = members?.get("result");
  if (!result) return undefined;
  const flag = membersOf(body, result.start)?.get("isError");
  const hasFailed = flag !== undefined && Buffer.from(body.subarray(flag.start, flag.end)).toString() === "true";
  return hasFailed ? FAILED_TOOL : false;
}

function codeIn(body: Uint8Array, at: number): number | undefined {
  const range = membersOf(body, at)?.get("code");
  const text = range && Buffer.from(body.subarray(range.start, range.end)).toString();
  return text !== undefined && /^-?\d{1,9}$/.test(text) ? Number(text) : undefined;
}
