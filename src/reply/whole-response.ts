/** An answer in several pieces up to this size is sent as one, with a Content-Length. */
const ONE_PIECE_BYTES = 1024 * 1024;
/** Bytes of a larger answer that are joined and written at a time. */
const CHUNK_BYTES = 256 * 1024;

/**
 * A response whose body is at hand from the first byte to the last. A status that allows no body (204, 205, 304) gets
 * none, not even an empty one. The pieces must not change afterwards.
 */
export function wholeResponse(status: number, headers: Headers, pieces: readonly Uint8Array[]): Response {
  const hasBody = status !== 204 && status !== 205 && status !== 304;
  return new Response(hasBody ? toBody(pieces) : null, { status, headers });
}

function toBody(pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> {
  const [only, second] = pieces;
  // The wider type also allows shared memory, which no piece ever is a view on.
  if (only && !second) return only as Uint8Array<ArrayBuffer>;
  const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0);
  return bytes <= ONE_PIECE_BYTES ? Buffer.concat(pieces) : toStream(pieces);
}

/** Joins the pieces into chunks as the client takes them: joining a large answer at once would block everything else. */
function toStream(pieces: readonly Uint8Array[]): ReadableStream<Uint8Array> {
  let next = 0;
  return new ReadableStream({
    async pull(controller) {
      // Without a pause a fast client would have the whole answer written in one go, while everything else waits.
      await new Promise((resolve) => setImmediate(resolve));
      const chunk: Uint8Array[] = [];
      for (let bytes = 0; bytes < CHUNK_BYTES; next += 1) {
        const piece = pieces[next];
        if (!piece) break;
        chunk.push(piece);
        bytes += piece.length;
      }
      if (chunk.length > 0) controller.enqueue(Buffer.concat(chunk));
      if (next === pieces.length) controller.close();
    },
  });
}
