import { isRecord } from "../json/parse.ts";
import { type RequestHead, type ResponseHead, toRequestHead, toResponseHead } from "./heads.ts";
import type { PeerOrder, ServingWorker } from "./peer-heads.ts";

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

/** Why an exchange with a worker was broken off: the closed list of the protocol. */
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

/**
 * Why an exchange between two servers was broken off, in addition to the codes that workers use. `worker_lost`: the session
 * of the worker ended. `too_many_calls`: an MCP server runs as many calls as it may. `too_large`: the worker's dialect cannot
 * carry the body. A worker that sends one of these is read as `internal`.
 */
export const LINK_RESET_CODES = ["worker_lost", "too_many_calls", "too_large"] as const;
export type ResetCode = (typeof RESET_CODES)[number] | (typeof LINK_RESET_CODES)[number];

/** What a server tells another one about the end of an exchange, in addition to its code. */
export interface ResetDetail {
  /** With `busy`: how many slots of the workers that could serve the job are free. */
  readonly free?: number;
  /** The worker that had the exchange, if one had. */
  readonly worker?: ServingWorker;
  /** With `too_large`: the most bytes that the worker takes. */
  readonly max_bytes?: number;
}

export type Frame =
  | {
      readonly type: "request";
      readonly id: number;
      readonly end: boolean;
      /** Without `peer`. */
      readonly head: RequestHead;
      readonly body: Uint8Array;
      /** The order of a head that had one. Present only between servers. */
      readonly order?: PeerOrder;
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
  | {
      readonly type: "reset";
      readonly id: number;
      readonly code: ResetCode;
      readonly message: string;
      /** Present only between servers. */
      readonly detail?: ResetDetail;
    };

/** Reads the parts of a frame that differ between a worker's session and a link between servers. */
export interface FrameForm {
  readonly toRequestHead: (value: unknown) => RequestHead | undefined;
  readonly toResponseHead: (value: unknown) => ResponseHead | undefined;
  /** Returns the code of a RESET. One that is not known MUST be read as `internal`: it also ends the exchange. */
  readonly toResetCode: (value: unknown) => ResetCode;
  /** Returns the order in the head of a request; undefined for none, false for one that cannot be read. */
  readonly toOrder?: (value: unknown) => PeerOrder | undefined | false;
  readonly toDetail?: (value: Readonly<Record<string, unknown>>) => ResetDetail | undefined;
}

const WORKER_FORM: FrameForm = {
  toRequestHead,
  toResponseHead,
  toResetCode: (value) => RESET_CODES.find((known) => known === value) ?? "internal",
};

/** A message that is not a valid frame. `reason` fits into a WebSocket close reason. */
export interface BadFrame {
  readonly type: "bad";
  readonly reason: string;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

/** Decodes one frame of a worker's session. Bodies are views of `bytes`, not copies. */
export function decodeFrame(bytes: Uint8Array): Frame | BadFrame {
  return decodeFrameAs(bytes, WORKER_FORM);
}

/** Decodes one frame whose parts are read by `form`. Bodies are views of `bytes`, not copies. */
export function decodeFrameAs(bytes: Uint8Array, form: FrameForm): Frame | BadFrame {
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
      const head = parts && form.toResponseHead(parts.head);
      return parts && head ? { type: "response", id, end, head, body: parts.body } : bad("bad response head");
    }
    case TYPE.request: {
      const parts = splitHead(payload);
      const head = parts && form.toRequestHead(parts.head);
      const order = parts && form.toOrder?.(parts.head);
      if (!parts || !head || order === false) return bad("bad request head");
      const { body } = parts;
      return order ? { type: "request", id, end, head, body, order } : { type: "request", id, end, head, body };
    }
    case TYPE.reset:
      return decodeReset(id, payload, form);
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
  return memory.subarray(0, writeData(memory, 0, "requestData", id, body, end));
}

/** Writes a frame of body bytes at `at` into memory that has room for it, and returns its end. */
export function writeData(
  memory: Uint8Array,
  at: number,
  type: "requestData" | "responseData",
  id: number,
  body: Uint8Array,
  end: boolean,
): number {
  writeHeader(memory, at, TYPE[type], end ? FLAG_END : 0, id);
  memory.set(body, at + HEADER_BYTES);
  return at + HEADER_BYTES + body.length;
}

/** The size of a frame that grants credit. */
export const CREDIT_BYTES = HEADER_BYTES + 4;

/** Does the same as `encodeCredit` in memory that has room for it, and returns the end of the frame. */
export function writeCredit(memory: Uint8Array, at: number, id: number, bytes: number): number {
  writeHeader(memory, at, TYPE.credit, 0, id);
  writeU32(memory, at + HEADER_BYTES, bytes);
  return at + CREDIT_BYTES;
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
export function encodeReset(id: number, code: ResetCode, message: string, detail?: ResetDetail): Uint8Array {
  const payload = encoder.encode(JSON.stringify({ code, message: message.slice(0, 500), ...detail }));
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
  writeHeader(frame, 0, type, flags, id);
  return frame;
}

function writeHeader(memory: Uint8Array, at: number, type: number, flags: number, id: number): void {
  memory[at] = type;
  memory[at + 1] = flags;
  writeU32(memory, at + 2, id);
}

function splitHead(payload: Uint8Array): { head: unknown; body: Uint8Array } | undefined {
  if (payload.length < 4) return undefined;
  const headEnd = 4 + readU32(payload, 0);
  if (headEnd > payload.length) return undefined;
  const head = parseJson(payload.subarray(4, headEnd));
  return head === undefined ? undefined : { head, body: payload.subarray(headEnd) };
}

function decodeReset(id: number, payload: Uint8Array, form: FrameForm): Frame | BadFrame {
  const value = parseJson(payload);
  if (!isRecord(value)) return bad("bad reset");
  const code = form.toResetCode(value["code"]);
  const message = typeof value["message"] === "string" ? value["message"].slice(0, 500) : "";
  const detail = form.toDetail?.(value);
  return detail ? { type: "reset", id, code, message, detail } : { type: "reset", id, code, message };
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(decoder.decode(bytes));
  } catch {
    return undefined; // Not UTF-8 or not JSON; the caller rejects the frame.
  }
}

export function readU32(bytes: Uint8Array, at: number): number {
  return (
    (((bytes[at] ?? 0) << 24) | ((bytes[at + 1] ?? 0) << 16) | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0)) >>> 0
  );
}

export function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

function bad(reason: string): BadFrame {
  return { type: "bad", reason };
}
