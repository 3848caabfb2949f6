import type { Room } from "./room.ts";

export type WholeBody =
  | {
      readonly kind: "whole";
      readonly bytes: Uint8Array;
      /** Gives the memory back. Called once, when the bytes are not needed any more. */
      readonly release: () => void;
    }
  /** `begun` is the first part of it. */
  | { readonly kind: "too_large"; readonly begun: Uint8Array }
  /** Too many others are being held at this time. */
  | { readonly kind: "no_room"; readonly begun: Uint8Array };

/** How much of a body is kept that is not wanted: its id is nearly always at the beginning. */
const BEGUN_BYTES = 64 * 1024;

/** Reads a body to its end. Rejects as its stream does. */
export async function readWhole(
  body: Uint8Array | ReadableStream<Uint8Array> | null | undefined,
  { most, room }: { readonly most: number; readonly room: Room },
): Promise<WholeBody> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  const refuse = (kind: "too_large" | "no_room"): WholeBody => {
    room.giveBack(length);
    return { kind, begun: beginningOf(chunks) };
  };
  const add = (chunk: Uint8Array): WholeBody | undefined => {
    chunks.push(chunk);
    if (length + chunk.length > most) return refuse("too_large");
    if (!room.take(chunk.length)) return refuse("no_room");
    length += chunk.length;
    return undefined;
  };
  if (body instanceof Uint8Array) {
    const refused = add(body);
    if (refused) return refused;
  } else if (body) {
    const reader = body.getReader();
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        const refused = add(value);
        if (refused === undefined) continue;
        await reader.cancel("the body is not wanted").catch(() => {});
        return refused;
      }
    } catch (error) {
      room.giveBack(length);
      throw error;
    }
  }
  const bytes = chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks);
  return { kind: "whole", bytes, release: () => room.giveBack(length) };
}

/** Copies the first bytes alone, so that nothing keeps the others. */
function beginningOf(chunks: readonly Uint8Array[]): Uint8Array {
  const pieces: Uint8Array[] = [];
  let missing = BEGUN_BYTES;
  for (const chunk of chunks) {
    if (missing <= 0) break;
    pieces.push(chunk.subarray(0, missing));
    missing -= chunk.length;
  }
  return Buffer.concat(pieces);
}
