import { Inflow } from "../../wire/inflow.ts";
import type { RequestBody } from "../../wire/pump.ts";

/**
 * Returns the body of an exchange of another server as a stream. It takes a piece only when one is asked for, so the other
 * server sends as fast as the stream is read. The stream does not end if the exchange breaks off, because its reader must not
 * take a part for the whole.
 */
export function toStream(body: RequestBody): ReadableStream<Uint8Array> {
  if (body instanceof ReadableStream) return body;
  if (body instanceof Inflow) return streamOf(body);
  return new ReadableStream({
    start(controller) {
      if (body.length > 0) controller.enqueue(body);
      controller.close();
    },
  });
}

function streamOf(inflow: Inflow): ReadableStream<Uint8Array> {
  let wake = (): void => {};
  inflow.read(() => wake());
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        let piece = inflow.take();
        while (!piece) {
          if (inflow.isDone) return controller.close();
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
          piece = inflow.take();
        }
        controller.enqueue(piece);
      },
      cancel: () => inflow.drop(),
    },
    { highWaterMark: 0 },
  );
}
