import { membersOf } from "../../json/scan.ts";
import { LastBytes } from "../../reply/last-bytes.ts";

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

  /** Looks at what was added. Call it once, at the end of the answer. */
  isFailure(isEventStream: boolean): boolean {
    const { isCut } = this.#last;
    const { buffer, byteOffset, length } = this.#last.bytes;
    const tail = Buffer.from(buffer, byteOffset, length);
    // The native search settles nearly every answer.
    if (!tail.includes('"error"') && !tail.includes('"isError"')) return false;
    if (isEventStream) return isFailureInEvents(tail.toString(), isCut);
    return isCut ? FAILED_FLAG.test(tail.toString()) : isRpcFailure(tail) === true;
  }
}

/** Looks for the response in an event stream: the last of its messages that is one. */
function isFailureInEvents(text: string, isCut: boolean): boolean {
  const events = text.split(/\r?\n\r?\n/);
  for (let at = events.length - 1; at >= 0; at -= 1) {
    const event = events[at] ?? "";
    const data = [...event.matchAll(/^data: ?(.*?)\r?$/gm)].map(([, line]) => line).join("\n");
    const verdict = isRpcFailure(Buffer.from(data));
    if (verdict !== undefined) return verdict;
    if (at === 0 && isCut) return FAILED_FLAG.test(event);
  }
  return false;
}

/** Whether a message is a failure; undefined if it is no response. */
function isRpcFailure(body: Uint8Array): boolean | undefined {
  const members = membersOf(body);
  if (members?.has("error")) return true;
  const result = members?.get("result");
  if (!result) return undefined;
  const flag = membersOf(body, result.start)?.get("isError");
  return flag !== undefined && Buffer.from(body.subarray(flag.start, flag.end)).toString() === "true";
}
