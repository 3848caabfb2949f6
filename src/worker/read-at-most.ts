export interface BoundedBytes {
  readonly bytes: Buffer;
  /** False when the body was longer, and was cut. */
  readonly isWhole: boolean;
}

/** Reads at most `maxBytes` of a body and cancels the rest. Rejects as the body does. */
export async function readAtMost(
  body: ReadableStream<Uint8Array> | null | undefined,
  maxBytes: number,
): Promise<BoundedBytes> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of body ?? []) {
    pieces.push(piece);
    bytes += piece.length;
    // Leaving the loop cancels the rest.
    if (bytes > maxBytes) break;
  }
  return { bytes: Buffer.concat(pieces).subarray(0, maxBytes), isWhole: bytes <= maxBytes };
}
