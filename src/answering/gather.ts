import type { ByteReader } from "../wire/byte-reader.ts";

/** How long a body is gathered before its pieces travel on as they come. A server writes a small answer in one go. */
const GATHER_MS = 250;

export interface GatherOptions {
  /** The body's declared length. */
  readonly length: number;
  readonly elapsed: () => number;
  /** Called for each piece that has come. */
  readonly onPiece: () => void;
}

/**
 * Reads a body of small declared length, so that it can travel in one frame. Resolves to all of it as soon as its last byte
 * has come, whether or not its sender ends it; or to a stream that begins with what has come, if the body takes longer: each
 * of its bytes is then progress that the other end of the link can see. Rejects if the body breaks off.
 */
export async function gather(
  body: ReadableStream<Uint8Array>,
  { length, elapsed, onPiece }: GatherOptions,
): Promise<Uint8Array | ReadableStream<Uint8Array>> {
  const reader: ByteReader = body.getReader();
  const startedAt = elapsed();
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done || value === undefined) return join(pieces);
    onPiece();
    pieces.push(value);
    bytes += value.length;
    if (bytes >= length) return join(pieces);
    if (elapsed() - startedAt >= GATHER_MS) return continued(pieces, reader);
  }
}

function join(pieces: readonly Uint8Array[]): Uint8Array {
  const [only, second] = pieces;
  return only && !second ? only : Buffer.concat(pieces);
}

/** A stream of what has been read, followed by what has not. */
function continued(pieces: readonly Uint8Array[], reader: ByteReader): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      start: (controller) => controller.enqueue(join(pieces)),
      async pull(controller) {
        const { done, value } = await reader.read();
        if (done || value === undefined) controller.close();
        else controller.enqueue(value);
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
}
