import { isJSONRPCRequest, type JSONRPCRequest } from "@modelcontextprotocol/server";
import { isRecord, parseJson } from "../../../../json/parse.ts";
import { type Range, uniqueMembersOf } from "../../../../json/scan.ts";
import { type Splice, spliced } from "../../../../json/splice.ts";
import { isTooDeepIn } from "../depth.ts";
import { textOf } from "./text-of.ts";

/** The methods about one tool, prompt or resource, and the parameter that names it. */
const SUBJECTS: Readonly<Record<string, "name" | "uri">> = {
  "tools/call": "name",
  "prompts/get": "name",
  "resources/read": "uri",
};

/** The largest call that is looked at: most calls are far smaller, and the others are worth being written anew. */
export const MAX_PLAIN_BYTES = 64 * 1024;
/** The most members of each object that is looked into. */
const MAX_MEMBERS = 32;
/** What the metadata of the protocol begin with. */
const RESERVED = "io.modelcontextprotocol/";
/** A request has `jsonrpc`, `id`, `method` and `params`. */
const MEMBERS = 4;
const encoder = new TextEncoder();

/**
 * A call of a tool, or a request for a prompt or a resource, that can be passed on in its own bytes. No object in it whose members
 * are read has two of one name, so everybody who reads it reads the same.
 */
export interface PlainCall {
  /** The request, under the names that it has on this part of its way: its id, its progress token, and what it is about. */
  readonly message: JSONRPCRequest;
  /** The request as its client wrote it; undefined if that is how this program would write it. */
  readonly written: Written | undefined;
}

/** A request's bytes, and the places of its names. */
interface Written {
  readonly bytes: Uint8Array;
  readonly id: Range;
  /** The name of the tool or prompt, or the URI of the resource, which is this parameter. */
  readonly subject: Range;
  readonly parameter: "name" | "uri";
  readonly token: Range | undefined;
}

/** Reads a body; undefined for one that is anything but a plain call. */
export function readPlainCall(bytes: Uint8Array): PlainCall | undefined {
  const text = bytes.length > MAX_PLAIN_BYTES ? undefined : textOf(bytes);
  const message = text === undefined ? undefined : parseJson(text);
  if (!isCall(message) || isTooDeepIn(bytes.length, message)) return undefined;
  const parameter = Object.hasOwn(SUBJECTS, message.method) ? SUBJECTS[message.method] : undefined;
  if (!parameter || typeof message.params?.[parameter] !== "string") return undefined;
  // Nothing but its metadata has a form of its own, and checking a whole message takes longer than all the rest.
  if (message.params["_meta"] !== undefined && !isJSONRPCRequest(message)) return undefined;
  // Most programs write JSON as this one does, and then no place has to be found.
  if (JSON.stringify(message) === text) return { message, written: undefined };
  const written = writtenIn(bytes, parameter);
  return written && { message, written };
}

function writtenIn(bytes: Uint8Array, parameter: Written["parameter"]): Written | undefined {
  const top = uniqueMembersOf(bytes, 0, MEMBERS);
  const [id, given] = [top?.get("id"), top?.get("params")];
  const params = given && uniqueMembersOf(bytes, given.start, MAX_MEMBERS);
  const subject = params?.get(parameter);
  if (!id || !params || !subject) return undefined;
  const meta = params.get("_meta");
  if (!meta) return { bytes, id, subject, parameter, token: undefined };
  const members = uniqueMembersOf(bytes, meta.start, MAX_MEMBERS);
  return members && { bytes, id, subject, parameter, token: members.get("progressToken") };
}

/** Whether a call can be one of a session: calls of revisions without sessions say so in their metadata. */
export function isOfSession({ message: { params } }: PlainCall): boolean {
  const meta = params?._meta;
  return meta === undefined || !Object.keys(meta).some((name) => name.startsWith(RESERVED));
}

/** Returns the bytes of a call under the names that its message has now. */
export function bytesOf({ message, written }: PlainCall): Uint8Array {
  if (!written) return encoder.encode(JSON.stringify(message));
  const { id, params } = message;
  const splices: Splice[] = [
    { ...written.id, text: JSON.stringify(id) },
    { ...written.subject, text: JSON.stringify(params?.[written.parameter]) },
  ];
  const token = params?._meta?.progressToken;
  if (written.token && token !== undefined) splices.push({ ...written.token, text: JSON.stringify(token) });
  return spliced(written.bytes, splices);
}

function isId(value: unknown): value is string | number {
  return typeof value === "string" || Number.isSafeInteger(value);
}

/** Whether a message is a request with parameters. Their metadata are not looked at. */
function isCall(message: unknown): message is JSONRPCRequest {
  return (
    isRecord(message) &&
    message["jsonrpc"] === "2.0" &&
    isId(message["id"]) &&
    typeof message["method"] === "string" &&
    isRecord(message["params"]) &&
    Object.keys(message).length === MEMBERS
  );
}
