import { isRecord, parseJson } from "../../../json/parse.ts";
import { leadingMembersOf, type Range, uniqueMembersOf } from "../../../json/scan.ts";
import { RPC } from "../bridge/rpc-error.ts";
import { DECIDING, hasOtherSpelling } from "../deciding-members.ts";

/** One message of a client that every parser reads the same way. */
export interface ClientMessage {
  /** Undefined for a notification, and for a response without one. */
  readonly id: string | number | undefined;
  /** Undefined for a client's response to the server. */
  readonly method: string | undefined;
  /** Empty where the message has no params, or other ones than an object. */
  readonly params: Readonly<Record<string, unknown>>;
  /** The arguments as the client wrote them. */
  readonly argumentsText: () => string | undefined;
}

/** What is wrong with a body. */
export interface MessageFault {
  readonly code: number;
  readonly text: string;
}

export type Reading =
  | { readonly message: ClientMessage; readonly fault?: undefined }
  | { readonly fault: MessageFault; readonly message?: undefined };

/** The most members at each of these levels: far more than a message has, and soon looked at. */
const MAX_MEMBERS = 1000;

const UTF8 = { fatal: true, ignoreBOM: true } as const;

/**
 * Reads a body that is passed on unchanged if its message is allowed. So it must be one that the MCP server cannot read
 * in another way: strict JSON in UTF-8, without equal members and without members whose names differ from the known ones in
 * case alone, which some parsers accept.
 */
export function readMessage(bytes: Uint8Array): Reading {
  const text = decode(bytes);
  const parsed = text === undefined ? undefined : parseJson(text);
  if (parsed === undefined) return { fault: { code: RPC.parse, text: "The body is not valid JSON." } };
  if (Array.isArray(parsed))
    return invalid("A relay that restricts its callers takes no batches. Send one message at a time.");
  if (!isRecord(parsed)) return invalid("The body is no JSON-RPC message.");
  const members = clearMembers(bytes, { start: 0, end: bytes.length }, DECIDING.message);
  const params = members && clearMembers(bytes, members.get("params"), DECIDING.params);
  const isClear =
    params !== undefined &&
    clearMembers(bytes, params.get("ref"), DECIDING.ref) !== undefined &&
    clearMembers(bytes, params.get("notifications"), DECIDING.notifications) !== undefined;
  if (!isClear) return invalid("The message has a member twice, one whose name has another case, or too many.");
  const { id, method } = parsed;
  if (method !== undefined && typeof method !== "string") return invalid("The method is no text.");
  if (method !== undefined && id !== undefined && !isRequestId(id))
    return invalid("The id is neither text nor a number.");
  const given = params.get("arguments");
  return {
    message: {
      id: isRequestId(id) ? id : undefined,
      method,
      params: isRecord(parsed["params"]) ? parsed["params"] : {},
      argumentsText: () => given && new TextDecoder().decode(bytes.subarray(given.start, given.end)),
    },
  };
}

/** The id of a request whose body may be cut off; undefined if it is not known. */
export function idIn(bytes: Uint8Array): string | number | undefined {
  const range = leadingMembersOf(bytes)?.get("id");
  const id = range && parseJson(new TextDecoder().decode(bytes.subarray(range.start, range.end)));
  return isRequestId(id) ? id : undefined;
}

function isRequestId(id: unknown): id is string | number {
  return typeof id === "string" || typeof id === "number";
}

function invalid(text: string): Reading {
  return { fault: { code: RPC.invalidRequest, text } };
}

const NONE: ReadonlyMap<string, Range> = new Map();

/** The members of the object at a place, if they are clear. None for a place without an object. */
function clearMembers(
  bytes: Uint8Array,
  range: Range | undefined,
  keys: readonly string[],
): ReadonlyMap<string, Range> | undefined {
  if (range === undefined || !isObjectAt(bytes, range)) return NONE;
  const members = uniqueMembersOf(bytes, range.start, MAX_MEMBERS);
  if (members === undefined) return undefined;
  return hasOtherSpelling(members.keys(), keys) ? undefined : members;
}

/** Whether the place begins with an object; only the whole body may have white space before it. */
function isObjectAt(bytes: Uint8Array, { start }: Range): boolean {
  return start === 0 || bytes[start] === 0x7b;
}

function decode(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", UTF8).decode(bytes);
  } catch {
    return undefined;
  }
}
