import { isJSONRPCResultResponse, type JSONRPCResponse, type RequestId } from "@modelcontextprotocol/server";
import { isRecord, parseJson } from "../../../../json/parse.ts";
import { type Range, uniqueMembersOf } from "../../../../json/scan.ts";
import { spliced } from "../../../../json/splice.ts";
import { isTooDeepIn } from "../depth.ts";
import { textOf } from "./text-of.ts";

/** An answer as its server wrote it. */
export interface RawAnswer {
  readonly bytes: Uint8Array;
  /** The place of its id. */
  readonly id: Range;
}

/** An answer that has been read, and its bytes; undefined if they are what this program would write. */
export interface PlainAnswer {
  readonly message: JSONRPCResponse;
  readonly raw: RawAnswer | undefined;
}

/** A result has `jsonrpc`, `id` and `result`. */
const MEMBERS = 3;

/** Reads the result of the request with this id; undefined for anything else, errors included. */
export function readPlainAnswer(bytes: Uint8Array, id: RequestId): PlainAnswer | undefined {
  const text = textOf(bytes);
  const message = text === undefined ? undefined : parseJson(text);
  if (!isResult(message) || message.id !== id || isTooDeepIn(bytes.length, message)) return undefined;
  if (JSON.stringify(message) === text) return { message, raw: undefined };
  const place = uniqueMembersOf(bytes, 0, MEMBERS)?.get("id");
  return place && { message, raw: { bytes, id: place } };
}

/** Returns an answer's bytes under the id of the client's own request. */
export function renamedAnswer({ bytes, id }: RawAnswer, own: RequestId): Uint8Array {
  return spliced(bytes, [{ ...id, text: JSON.stringify(own) }]);
}

function isResult(message: unknown): message is JSONRPCResponse {
  return (
    isRecord(message) &&
    message["jsonrpc"] === "2.0" &&
    isRecord(message["result"]) &&
    Object.keys(message).length === MEMBERS &&
    // Nothing but its metadata has a form of its own, and checking a whole message takes longer than all the rest.
    (message["result"]["_meta"] === undefined || isJSONRPCResultResponse(message))
  );
}
