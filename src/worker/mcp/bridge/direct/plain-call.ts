import { isJSONRPCRequest, type JSONRPCRequest } from "@modelcontextprotocol/server";
import { isRecord, parseJson } from "../../../../json/parse.ts";
import { type Range, uniqueMembersOf } from "../../../../json/scan.ts";
import { type Splice, spliced } from "../../../../json/splice.ts";
import { isTooDeepIn } from "../depth.ts";

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
const TOP = ["jsonrpc", "id", "method", "params"];

/**
 * A call of a tool, or a request for a prompt or a resource, that can be passed on in its own bytes. No object in it whose members
 * are read has two of one name, so everybody who reads it reads the same.
 */
export interface PlainCall {
  /** The request, under the names that it has on this part of its way: its id, its progress token, and what it is about. */
  readonly message: JSONRPCRequest;
  readonly written: Written;
}

/** A request as its client wrote it, and the places of its names. */
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
  if (bytes.length > MAX_PLAIN_BYTES) return undefined;
  const message = parseUtf8(bytes);
  if (!isCall(message) || isTooDeepIn(bytes.length, message)) return undefined;
  const top = uniqueMembersOf(bytes, 0, TOP.length);
  const [id, given] = [top?.get("id"), top?.get("params")];
  if (!top || !id || !given || !TOP.every((name) => top.has(name))) return undefined;
  const params = uniqueMembersOf(bytes, given.start, MAX_MEMBERS);
  const parameter = Object.hasOwn(SUBJECTS, message.method) ? SUBJECTS[message.method] : undefined;
  const subject = parameter && params?.get(parameter);
  if (!params || !parameter || !subject || typeof message.params?.[parameter] !== "string") return undefined;
  const meta = params.get("_meta");
  if (!meta) return { message, written: { bytes, id, subject, parameter, token: undefined } };
  const members = uniqueMembersOf(bytes, meta.start, MAX_MEMBERS);
  if (!members || !isJSONRPCRequest(message)) return undefined;
  return { message, written: { bytes, id, subject, parameter, token: members.get("progressToken") } };
}

/** Whether a call can be one of a session: calls of revisions without sessions say so in their metadata. */
export function isOfSession({ message: { params } }: PlainCall): boolean {
  return Object.keys(params?._meta ?? {}).every((name) => !name.startsWith(RESERVED));
}

/** Returns the bytes of a call under the names that its message has now. */
export function bytesOf({ message: { id, params }, written }: PlainCall): Uint8Array {
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

/** Whether a message is a request. Its metadata are the only part of its parameters that has a form of its own, and are not looked at. */
function isCall(message: unknown): message is JSONRPCRequest {
  return (
    isRecord(message) &&
    message["jsonrpc"] === "2.0" &&
    isId(message["id"]) &&
    typeof message["method"] === "string" &&
    isRecord(message["params"])
  );
}

const decoder = new TextDecoder("utf-8", { fatal: true });

/** Parses JSON; undefined also for bytes that are not UTF-8, of which each reader would make something else. */
export function parseUtf8(bytes: Uint8Array): unknown {
  try {
    return parseJson(decoder.decode(bytes));
  } catch {
    return undefined;
  }
}
