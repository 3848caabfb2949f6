type Body = Uint8Array | ReadableStream<Uint8Array> | null;

/** Returns a body that calls `onEnd` once, when it has been read to its end, has failed or is given up. */
export function bodyToEnd(body: Body, signal: AbortSignal, onEnd: () => void): Body {
  if (!(body instanceof ReadableStream)) {
    onEnd();
    return body;
  }
  const end = (): void => {
    signal.removeEventListener("abort", end);
    onEnd();
  };
  signal.addEventListener("abort", end);
  if (signal.aborted) end();
  const reader = body.getReader();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await reader.read();
          if (!done) return controller.enqueue(value);
          end();
          controller.close();
        } catch (error) {
          end();
          controller.error(error);
        }
      },
      cancel(reason) {
        end();
        return reader.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
}
