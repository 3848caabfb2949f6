import { isRecord } from "../json/parse.ts";
import { isExchangeKind } from "./names.ts";

/**
 * Native frames, both directions: `u8 type · u8 flags · u32 exchange id (big endian) · payload`.
 * Pure: bytes in, a frame or a reason out. Nothing here throws because of what a peer sent.
 */

/** The number of each frame type on the wire. */
const TYPE = { request: 1, requestData: 2, response: 3, responseData: 4, credit: 5, reset: 6 } as const;

/** The flag that says: nothing more comes from this side of the exchange. */
const FLAG_END = 0x01;
/** The size of a frame's header, which precedes its payload. */
export const HEADER_BYTES = 6;

/** The largest frame either side may send, header included. A bigger one is a protocol error and ends the session. */
export const MAX_FRAME_BYTES = 1024 * 1024;

/** The largest exchange id. A session that has used it must be replaced by a new one. */
export const MAX_EXCHANGE_ID = 0xffff_ffff;

export type HeaderPairs = readonly (readonly [name: string, value: string])[];

export interface RequestHead {
  /** What the exchange carries. Absent on the wire for `http`, so that workers which know no other kind see no change. */
  readonly kind?: string;
  readonly method: string;
  /** Relative to the backend's base URL, with a leading slash: `/chat/completions`. */
  readonly path: string;
  readonly headers: HeaderPairs;
  /** How many milliseconds the server waits for bytes before it cancels. The worker's own deadline follows it. */
  readonly timeout_ms?: number;
  /** The public URL of what the client asked, where clients sign in with OAuth: their tokens are issued for it (RFC 9728). */
  readonly resource?: string;
  /** Whether the client asked for a stream; the legacy dialect repeats it beside the body. */
  readonly stream?: boolean;
  /**
   * Set if the server would like the backend to state the usage of this stream, which the client did not ask for. A worker
   * whose backend can do that makes this change to the body, and says so in its response.
   */
  readonly metered?: BodyEdit;
}

/** A change to a body: `text` in place of the bytes from `at` to `end`, or before `at` if the two are equal. */
export interface BodyEdit {
  readonly at: number;
  readonly end: number;
  readonly text: string;
}

export interface ResponseHead {
  readonly status: number;
  readonly headers: HeaderPairs;
  /**
   * Set if the worker itself has refused the caller: `token` for a wrong token of a relay. No backend can set it, because it
   * is no header.
   */
  readonly refused?: "token";
  /**
   * Set if the worker has made the change that `RequestHead.metered` describes. One event of the stream then states the
   * usage and is not meant for the client. No backend can set it, because it is no header.
   */
  readonly metered?: boolean;
}

/** Why an exchange was broken off: the closed list of the protocol. */
export const RESET_CODES = [
  "canceled",
  "timeout",
  "upstream_error",
  "upstream_unreachable",
  "draining",
  "flow_control",
  "protocol_error",
  "internal",
  "busy",
] as const;
export type ResetCode = (typeof RESET_CODES)[number];

export type Frame =
  | {
      readonly type: "request";
      readonly id: number;
      readonly end: boolean;
      readonly head: RequestHead;
      readonly body: Uint8Array;
    }
  | { readonly type: "request_data"; readonly id: number; readonly end: boolean; readonly body: Uint8Array }
  | {
      readonly type: "response";
      readonly id: number;
      readonly end: boolean;
      readonly head: ResponseHead;
      readonly body: Uint8Array;
    }
  | { readonly type: "response_data"; readonly id: number; readonly end: boolean; readonly body: Uint8Array }
  | { readonly type: "credit"; readonly id: number; readonly bytes: number }
  | { readonly type: "reset"; readonly id: number; readonly code: ResetCode; readonly message: string };

/** A message that is not a valid frame. `reason` fits into a WebSocket close reason. */
export interface BadFrame {
  readonly type: "bad";
  readonly reason: string;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

/** Decodes one binary message. Bodies are views of `bytes`, not copies. */
export function decodeFrame(bytes: Uint8Array): Frame | BadFrame {
  if (bytes.length > MAX_FRAME_BYTES) return bad(`frame larger than ${MAX_FRAME_BYTES} bytes`);
  if (bytes.length < HEADER_BYTES) return bad("frame shorter than its header");
  // The length check above makes the header's bytes present; `?? 0` only satisfies the index check.
  const type = bytes[0] ?? 0;
  const end = ((bytes[1] ?? 0) & FLAG_END) !== 0;
  const id = readU32(bytes, 2);
  const payload = bytes.subarray(HEADER_BYTES);
  switch (type) {
    case TYPE.responseData:
      return { type: "response_data", id, end, body: payload };
    case TYPE.requestData:
      return { type: "request_data", id, end, body: payload };
    case TYPE.credit:
      return payload.length === 4 ? { type: "credit", id, bytes: readU32(payload, 0) } : bad("credit must be 4 bytes");
    case TYPE.response: {
      const parts = splitHead(payload);
      const head = parts && toResponseHead(parts.head);
      return parts && head ? { type: "response", id, end, head, body: parts.body } : bad("bad response head");
    }
    case TYPE.request: {
      const parts = splitHead(payload);
      const head = parts && toRequestHead(parts.head);
      return parts && head ? { type: "request", id, end, head, body: parts.body } : bad("bad request head");
    }
    case TYPE.reset:
      return decodeReset(id, payload);
    default:
      return bad(`unknown frame type ${type}`);
  }
}

export function encodeRequest(id: number, head: RequestHead, body: Uint8Array, end: boolean): Uint8Array {
  return encodeWithHead(TYPE.request, id, head, body, end);
}

export function encodeResponse(id: number, head: ResponseHead, body: Uint8Array, end: boolean): Uint8Array {
  return encodeWithHead(TYPE.response, id, head, body, end);
}

export function encodeRequestData(id: number, body: Uint8Array, end: boolean): Uint8Array {
  return encodeData(TYPE.requestData, id, body, end);
}

/** Does the same in the caller's memory, which must be `HEADER_BYTES` larger than the body, and returns a view of it. */
export function encodeRequestDataInto(memory: Buffer, id: number, body: Uint8Array, end: boolean): Uint8Array {
  const frame = memory.subarray(0, HEADER_BYTES + body.length);
  writeHeader(frame, TYPE.requestData, end ? FLAG_END : 0, id);
  frame.set(body, HEADER_BYTES);
  return frame;
}

export function encodeResponseData(id: number, body: Uint8Array, end: boolean): Uint8Array {
  return encodeData(TYPE.responseData, id, body, end);
}

/** Encodes a grant of `bytes` more body bytes on an exchange. */
export function encodeCredit(id: number, bytes: number): Uint8Array {
  const frame = allocate(TYPE.credit, 0, id, 4);
  writeU32(frame, HEADER_BYTES, bytes);
  return frame;
}

/** Encodes the end of an exchange in both directions. The message is for people and cut at 500 characters. */
export function encodeReset(id: number, code: ResetCode, message: string): Uint8Array {
  const payload = encoder.encode(JSON.stringify({ code, message: message.slice(0, 500) }));
  const frame = allocate(TYPE.reset, FLAG_END, id, payload.length);
  frame.set(payload, HEADER_BYTES);
  return frame;
}

/** Returns how many body bytes fit into one frame with this head; negative when the head alone is too large. */
export function bodyRoom(head: RequestHead | ResponseHead): number {
  return MAX_FRAME_BYTES - HEADER_BYTES - 4 - Buffer.byteLength(JSON.stringify(head));
}

/** The most body bytes that fit into one data frame. */
export const MAX_DATA_BYTES = MAX_FRAME_BYTES - HEADER_BYTES;

function encodeWithHead(
  type: number,
  id: number,
  head: RequestHead | ResponseHead,
  body: Uint8Array,
  end: boolean,
): Uint8Array {
  const text = JSON.stringify(head);
  const headBytes = Buffer.byteLength(text);
  const frame = allocate(type, end ? FLAG_END : 0, id, 4 + headBytes + body.length);
  writeU32(frame, HEADER_BYTES, headBytes);
  frame.write(text, HEADER_BYTES + 4);
  frame.set(body, HEADER_BYTES + 4 + headBytes);
  return frame;
}

function encodeData(type: number, id: number, body: Uint8Array, end: boolean): Uint8Array {
  const frame = allocate(type, end ? FLAG_END : 0, id, body.length);
  frame.set(body, HEADER_BYTES);
  return frame;
}

function allocate(type: number, flags: number, id: number, payloadBytes: number): Buffer {
  const frame = Buffer.allocUnsafe(HEADER_BYTES + payloadBytes);
  writeHeader(frame, type, flags, id);
  return frame;
}

function writeHeader(frame: Buffer, type: number, flags: number, id: number): void {
  frame[0] = type;
  frame[1] = flags;
  writeU32(frame, 2, id);
}

function splitHead(payload: Uint8Array): { head: unknown; body: Uint8Array } | undefined {
  if (payload.length < 4) return undefined;
  const headEnd = 4 + readU32(payload, 0);
  if (headEnd > payload.length) return undefined;
  const head = parseJson(payload.subarray(4, headEnd));
  return head === undefined ? undefined : { head, body: payload.subarray(headEnd) };
}

function decodeReset(id: number, payload: Uint8Array): Frame | BadFrame {
  const value = parseJson(payload);
  if (!isRecord(value)) return bad("bad reset");
  // A code of a newer version also ends the exchange.
  const code = RESET_CODES.find((known) => known === value["code"]) ?? "internal";
  const message = typeof value["message"] === "string" ? value["message"].slice(0, 500) : "";
  return { type: "reset", id, code, message };
}

function toResponseHead(value: unknown): ResponseHead | undefined {
  if (!isRecord(value)) return undefined;
  const { status, headers, refused, metered } = value;
  // An exchange carries only the final status, never 1xx.
  if (typeof status !== "number" || !Number.isInteger(status) || status < 200 || status > 599) return undefined;
  if (!isHeaderPairs(headers)) return undefined;
  // Other values may come from a newer worker, and are ignored like other members.
  return {
    status,
    headers,
    ...(refused === "token" ? { refused } : undefined),
    ...(metered === true ? { metered } : undefined),
  };
}

function toRequestHead(value: unknown): RequestHead | undefined {
  if (!isRecord(value)) return undefined;
  const { kind, method, path, headers, timeout_ms, resource, stream } = value;
  const metered = toBodyEdit(value["metered"]);
  if (kind !== undefined && (typeof kind !== "string" || !isExchangeKind(kind))) return undefined;
  if (typeof method !== "string" || !TOKEN.test(method)) return undefined;
  if (typeof path !== "string" || !path.startsWith("/")) return undefined;
  if (!isHeaderPairs(headers)) return undefined;
  if (timeout_ms !== undefined && (typeof timeout_ms !== "number" || timeout_ms < 0)) return undefined;
  if (resource !== undefined && (typeof resource !== "string" || BAD_VALUE.test(resource))) return undefined;
  if (stream !== undefined && typeof stream !== "boolean") return undefined;
  return {
    ...(kind === undefined ? {} : { kind }),
    method,
    path,
    headers,
    ...(timeout_ms === undefined ? {} : { timeout_ms }),
    ...(resource === undefined ? {} : { resource }),
    ...(stream === undefined ? {} : { stream }),
    ...(metered === undefined ? {} : { metered }),
  };
}

/** The longest text of a change. The usual one has 40 characters. */
const MAX_EDIT_CHARS = 1024;

/** Reads a change to a body; undefined for anything else, which a newer server may send and an older worker ignores too. */
function toBodyEdit(value: unknown): BodyEdit | undefined {
  if (!isRecord(value)) return undefined;
  const { at, end, text } = value;
  if (!isOffset(at) || !isOffset(end) || end < at) return undefined;
  return typeof text === "string" && text.length <= MAX_EDIT_CHARS ? { at, end, text } : undefined;
}

function isOffset(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

/** A token of RFC 9110 §5.6.2: the characters of methods and header names. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** Control characters of RFC 9110 §5.5 (except tab) and anything past one byte, by which messages are split or smuggled. */
const BAD_VALUE = /[^\t\x20-\x7e\x80-\xff]/;

/** Returns whether a header's value can be sent over HTTP unchanged. */
export function isHeaderValue(text: string): boolean {
  return !BAD_VALUE.test(text);
}

/** Returns whether a value is header pairs that can be sent over HTTP unchanged. */
export function isHeaderPairs(value: unknown): value is HeaderPairs {
  if (!Array.isArray(value)) return false;
  for (const pair of value) {
    if (!Array.isArray(pair) || pair.length !== 2) return false;
    const [name, text] = pair;
    if (typeof name !== "string" || typeof text !== "string") return false;
    if (!TOKEN.test(name) || !isHeaderValue(text)) return false;
  }
  return true;
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(decoder.decode(bytes));
  } catch {
    return undefined; // Not UTF-8 or not JSON; the caller rejects the frame.
  }
}

function readU32(bytes: Uint8Array, at: number): number {
  return (
    (((bytes[at] ?? 0) << 24) | ((bytes[at + 1] ?? 0) << 16) | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0)) >>> 0
  );
}

function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

function bad(reason: string): BadFrame {
  return { type: "bad", reason };
}
