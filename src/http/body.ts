import type { Clock } from "../deps.ts";
import { Fault } from "../errors.ts";

/** How a body could not be had, besides the faults: the client is gone and nobody waits for an answer. */
export class ClientGone extends Error {
  override readonly name = "ClientGone";
}

/**
 * A body that is declared no larger is read under the listener's own idle timeout, without a timer of ours: at its 60 s
 * even a modem is done with it.
 */
const SMALL_BODY_BYTES = 64 * 1024;

export interface BodyLimits {
  readonly maxBytes: number;
  /** Longest time for a body that is not small. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  /** Called before a body that may take longer than the listener's idle timeout. */
  readonly liftIdleTimeout: () => void;
}

/**
 * The whole request body, at most `maxBytes` of it. A declared length over the limit is refused before a byte is read;
 * an undeclared one as soon as it passes the limit. Throws `request_too_large`, `request_timeout` or `ClientGone`.
 */
export async function readBody(request: Request, limits: BodyLimits): Promise<Uint8Array> {
  const declared = request.headers.get("content-length");
  const length = declared === null ? undefined : Number(declared);
  if (length !== undefined && length > limits.maxBytes) throw tooLarge(limits.maxBytes);
  try {
    // With a declared length Bun gathers the body natively, without ever making a stream of it; without one it must be
    // counted on the way.
    if (length !== undefined && length <= SMALL_BODY_BYTES) return await request.bytes();
    limits.liftIdleTimeout();
    return await inTime(length === undefined ? readCounted(request.body, limits.maxBytes) : request.bytes(), limits);
  } catch (error) {
    if (error instanceof Fault) throw error;
    throw new ClientGone("the client left while it sent its request", { cause: error });
  }
}

function inTime(read: Promise<Uint8Array>, { timeoutMs, clock }: BodyLimits): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const cancelTimer = clock.after(timeoutMs, () => reject(new Fault("request_timeout")));
    read.finally(cancelTimer).then(resolve, reject);
  });
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
