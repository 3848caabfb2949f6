import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { MAX_MESSAGE_BYTES } from "../bus.ts";

// A server's state on the bus: JSON, compressed, cut into messages. Each begins with the number of the state (u32), the
// number of the part and how many there are (u16 each), big-endian (docs/protocol.md, "Between servers").

const HEAD_BYTES = 8;
const PART_BYTES = MAX_MESSAGE_BYTES - HEAD_BYTES;
/** The most parts of one state: 32 MiB compressed. A state of 10,000 workers takes two. */
const MAX_PARTS = 128;
/** The longest state that is read, in bytes of JSON. */
const MAX_STATE_BYTES = 128 * 1024 * 1024;
/** The fastest level: a state of 2,000 workers takes 1 ms, and a sixteenth of its size. */
const LEVEL = 1;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

/** Cuts a state into messages. Returns undefined if it is too large to be sent. */
export function toParts(number: number, text: string): readonly Uint8Array[] | undefined {
  const params = { [constants.ZSTD_c_compressionLevel]: LEVEL };
  const packed = zstdCompressSync(encoder.encode(text), { params });
  const parts = Math.max(1, Math.ceil(packed.byteLength / PART_BYTES));
  if (parts > MAX_PARTS) return undefined;
  return Array.from({ length: parts }, (_, part) => {
    const piece = packed.subarray(part * PART_BYTES, (part + 1) * PART_BYTES);
    const message = new Uint8Array(HEAD_BYTES + piece.byteLength);
    const head = new DataView(message.buffer);
    head.setUint32(0, number);
    head.setUint16(4, part);
    head.setUint16(6, parts);
    message.set(piece, HEAD_BYTES);
    return message;
  });
}

/** Assembles the states of a peer from their parts. A state that is incomplete when the next one begins is dropped. */
export class StateAssembly {
  #number = -1;
  #parts: readonly Uint8Array[] = [];

  /** Takes a message. Returns the state that it completes; undefined if it completes none. */
  add(message: Uint8Array): { readonly number: number; readonly text: string } | undefined {
    if (message.byteLength < HEAD_BYTES || message.byteLength > MAX_MESSAGE_BYTES) return undefined;
    const head = new DataView(message.buffer, message.byteOffset, message.byteLength);
    const [number, part, parts] = [head.getUint32(0), head.getUint16(4), head.getUint16(6)];
    if (part === 0) {
      this.#number = number;
      this.#parts = [];
    }
    // Messages of one server arrive in order; a gap means that some were lost.
    if (number !== this.#number || part !== this.#parts.length || parts > MAX_PARTS) {
      this.#number = -1;
      this.#parts = [];
      return undefined;
    }
    this.#parts = [...this.#parts, message.slice(HEAD_BYTES)];
    if (this.#parts.length < parts) return undefined;
    const text = unpacked(Buffer.concat(this.#parts));
    this.#number = -1;
    this.#parts = [];
    return text === undefined ? undefined : { number, text };
  }
}

/** Returns the JSON object in the bytes as text; undefined if it cannot be one. */
function unpacked(bytes: Uint8Array): string | undefined {
  try {
    const text = decoder.decode(zstdDecompressSync(bytes, { maxOutputLength: MAX_STATE_BYTES }));
    return text.length > 2 && text.startsWith("{") && text.endsWith("}") ? text : undefined;
  } catch {
    // The bytes are not a compressed state.
    return undefined;
  }
}
