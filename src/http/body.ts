import type { Clock } from "../deps.ts";
import { Fault } from "../errors.ts";

/** How a body could not be had, besides the faults: the client is gone and nobody waits for an answer. */
export class ClientGone extends Error {
  override readonly name = "ClientGone";
}

/**
 * The whole request body, at most `maxBytes` of it. A declared length over the limit is refused before a byte is read;
 * an undeclared one as soon as it passes the limit. Throws `request_too_large`, `request_timeout` or `ClientGone`.
 */
export async function readBody(
  request: Request,
  maxBytes: number,
  timeoutMs: number,
  clock: Clock,
): Promise<Uint8Array> {
  const declared = request.headers.get("content-length");
  if (declared !== null && Number(declared) > maxBytes) throw tooLarge(maxBytes);
  let cancelTimer = (): void => {};
  try {
    return await new Promise<Uint8Array>((resolve, reject) => {
      cancelTimer = clock.after(timeoutMs, () => reject(new Fault("request_timeout")));
      // With a declared length Bun gathers the body natively, without ever making a stream of it (a third of the cost);
      // without one it must be counted on the way.
      const read = declared === null ? readCounted(request.body, maxBytes) : request.bytes();
      read.then(resolve, reject);
    });
  } catch (error) {
    if (error instanceof Fault) throw error;
    throw new ClientGone("the client left while it sent its request", { cause: error });
  } finally {
    cancelTimer();
  }
}

async function readCounted(body: ReadableStream<Uint8Array> | null, maxBytes: number): Promise<Uint8Array> {
  if (!body) return new Uint8Array(0);
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  const reader = body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return Buffer.concat(pieces);
    bytes += value.length;
    if (bytes > maxBytes) {
      // Not awaited: the answer must not wait for a client that goes on sending.
      reader.cancel("too large").catch(() => {});
      throw tooLarge(maxBytes);
    }
    pieces.push(value);
  }
}

function tooLarge(maxBytes: number): Fault {
  return new Fault("request_too_large", {
    message: `The request body is larger than the ${maxBytes} bytes this route takes.`,
  });
}
