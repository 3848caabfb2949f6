/**
 * Reads `source` as fast as it comes, and breaks the stream off once its reader has left more than `maxBytes` unread. It is
 * for sources that write without checking for room. `onEnded` is called once.
 */
export function boundedStream(
  source: ReadableStream<Uint8Array>,
  maxBytes: number,
  onEnded: () => void,
): ReadableStream<Uint8Array> {
  const reader = source.getReader();
  let hasEnded = false;
  const end = (): void => {
    if (!hasEnded) onEnded();
    hasEnded = true;
  };
  const pump = async (controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> => {
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (hasEnded) return;
        if (done) {
          controller.close();
          return end();
        }
        controller.enqueue(value);
        if ((controller.desiredSize ?? 0) <= 0) throw new Error("its reader is too slow");
      }
    } catch (error) {
      if (hasEnded) return;
      controller.error(error);
      end();
      await reader.cancel(error).catch(() => {});
    }
  };
  return new ReadableStream<Uint8Array>(
    {
      start: (controller) => void pump(controller),
      cancel: (reason) => {
        end();
        return reader.cancel(reason);
      },
    },
    new ByteLengthQueuingStrategy({ highWaterMark: maxBytes }),
  );
}
