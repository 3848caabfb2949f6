const NEWLINE = 10;
const RETURN = 13;

/** Passes `source` on unchanged, and breaks off at a line longer than `maxBytes`. */
export function withLineLimit(source: ReadableStream<Uint8Array>, maxBytes: number): ReadableStream<Uint8Array> {
  let bytes = 0;
  return source.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        const last = Math.max(chunk.lastIndexOf(NEWLINE), chunk.lastIndexOf(RETURN));
        bytes = last === -1 ? bytes + chunk.length : chunk.length - last - 1;
        if (bytes > maxBytes) controller.error(new Error("a line of the stream has no end"));
        else controller.enqueue(chunk);
      },
    }),
  );
}
