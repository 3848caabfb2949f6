import {
  type BadFrame,
  decodeFrameAs,
  type Frame,
  type FrameForm,
  HEADER_BYTES,
  LINK_RESET_CODES,
  RESET_CODES,
  type ResetDetail,
} from "./frame.ts";
import { toLinkOrder, toLinkResponseHead, toRequestHead } from "./heads.ts";
import { toServingWorker } from "./peer-heads.ts";

/**
 * Frames on a link between two servers: those of workers, with more in their heads, and three of their own. A frame of an
 * unknown type is not an error, because the two servers may have different versions. Pure, like `frame.ts`.
 */

/** The numbers of the frame types that only links have. Their exchange id is 0. */
const TYPE = { tell: 16, ping: 17, pong: 18 } as const;
/** The largest type of a frame that workers have too. */
const LAST_WORKER_TYPE = 6;

export type LinkFrame =
  | Frame
  /** A small message about `topic`. */
  | { readonly type: "tell"; readonly topic: string; readonly text: string }
  /** Asks for a `pong` with the same number. */
  | { readonly type: "ping"; readonly number: number }
  | { readonly type: "pong"; readonly number: number }
  /** A frame of a newer version. */
  | { readonly type: "unknown" };

const LINK_FORM: FrameForm = {
  toRequestHead,
  toOrder: toLinkOrder,
  toResponseHead: toLinkResponseHead,
  toResetCode: (value) =>
    RESET_CODES.find((known) => known === value) ?? LINK_RESET_CODES.find((known) => known === value) ?? "internal",
  toDetail,
};

const decoder = new TextDecoder("utf-8", { fatal: true });

/** Decodes one frame of a link. Bodies are views of `bytes`, not copies. */
export function decodeLinkFrame(bytes: Uint8Array): LinkFrame | BadFrame {
  const type = bytes[0] ?? 0;
  if (type <= LAST_WORKER_TYPE && type > 0) return decodeFrameAs(bytes, LINK_FORM);
  if (bytes.length < HEADER_BYTES) return { type: "bad", reason: "frame shorter than its header" };
  switch (type) {
    case TYPE.tell:
      return decodeTell(bytes);
    case TYPE.ping:
    case TYPE.pong:
      if (bytes.length !== HEADER_BYTES + 4) return { type: "bad", reason: "ping and pong must have 4 bytes" };
      return { type: type === TYPE.ping ? "ping" : "pong", number: viewOf(bytes).getUint32(HEADER_BYTES) };
    default:
      return { type: "unknown" };
  }
}

/** Encodes a small message. The topic has at most 32 letters. */
export function encodeTell(topic: string, text: string): Uint8Array {
  const frame = Buffer.alloc(HEADER_BYTES + 1 + topic.length + Buffer.byteLength(text));
  frame[0] = TYPE.tell;
  frame[HEADER_BYTES] = topic.length;
  frame.write(topic, HEADER_BYTES + 1, "latin1");
  frame.write(text, HEADER_BYTES + 1 + topic.length);
  return frame;
}

export function encodePing(number: number): Uint8Array {
  return encodeBeat(TYPE.ping, number);
}

export function encodePong(number: number): Uint8Array {
  return encodeBeat(TYPE.pong, number);
}

function encodeBeat(type: number, number: number): Uint8Array {
  const frame = Buffer.alloc(HEADER_BYTES + 4);
  frame[0] = type;
  frame.writeUInt32BE(number, HEADER_BYTES);
  return frame;
}

function decodeTell(bytes: Uint8Array): LinkFrame | BadFrame {
  const topicEnd = HEADER_BYTES + 1 + (bytes[HEADER_BYTES] ?? 0);
  if (topicEnd > bytes.length) return { type: "bad", reason: "bad message" };
  try {
    const topic = decoder.decode(bytes.subarray(HEADER_BYTES + 1, topicEnd));
    return { type: "tell", topic, text: decoder.decode(bytes.subarray(topicEnd)) };
  } catch {
    return { type: "bad", reason: "a message that is not UTF-8" };
  }
}

function toDetail(value: Readonly<Record<string, unknown>>): ResetDetail | undefined {
  const [free, worker] = [value["free"], toServingWorker(value["worker"])];
  const maxBytes = value["max_bytes"];
  const detail: ResetDetail = {
    ...(isCount(free) ? { free } : {}),
    ...(worker ? { worker } : {}),
    ...(isCount(maxBytes) ? { max_bytes: maxBytes } : {}),
  };
  return Object.keys(detail).length > 0 ? detail : undefined;
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
