import { Fault } from "../errors.ts";
import type { Clock } from "../system/deps.ts";
import type { ByteReader } from "../wire/byte-reader.ts";

/** Thrown when the client has disconnected, so no answer is needed. */
export class ClientGone extends Error {
  override readonly name = "ClientGone";
}

/**
 * Largest declared body that is read without a timer of its own. The listener's idle timeout of 60 s is enough for it, even
 * over a modem.
 */
const SMALL_BODY_BYTES = 64 * 1024;

export interface BodyLimits {
  readonly maxBytes: number;
  /** The setting that raises `maxBytes`, which the refusal names; omitted if there is none. */
  readonly setting?: string;
  /** Longest time for reading a body that is not small. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  /** Called before a body that may take longer than the listener's idle timeout. */
  readonly liftIdleTimeout: () => void;
}

/**
 * Reads the whole request body, up to `maxBytes`. A body declared larger is refused before a byte is read, one without a
 * length as soon as it passes the limit. Rejects with `request_too_large`, `request_timeout` or `ClientGone`.
 */
export async function readBody(request: Request, limits: BodyLimits): Promise<Uint8Array> {
  const length = declaredLength(request.headers);
  if (length !== undefined && length > limits.maxBytes) throw tooLarge(limits);
  try {
    // Bun gathers a body of declared length natively, without a stream. One without a length must be counted as it comes.
    if (length !== undefined && length <= SMALL_BODY_BYTES) return await request.bytes();
    limits.liftIdleTimeout();
    if (length !== undefined) return await inTime(request.bytes(), limits);
    const reader = request.body?.getReader();
    if (!reader) return new Uint8Array(0);
    // Not awaited, here and below: the answer must not wait for a client that keeps sending.
    return await inTime(readCounted(reader, limits), limits, () => void reader.cancel("late").catch(() => {}));
  } catch (error) {
    if (error instanceof Fault) throw error;
    throw new ClientGone("the client left while it sent its request", { cause: error });
  }
}

/**
 * Returns the body's declared length, or undefined if Content-Length is missing or not a plain number. Bun joins repeated
 * headers with a comma; a body with such a length must be counted.
 */
export function declaredLength(headers: Headers): number | undefined {
  const declared = headers.get("content-length");
  return declared !== null && /^[0-9]+$/.test(declared) ? Number(declared) : undefined;
}

function inTime(read: Promise<Uint8Array>, { timeoutMs, clock }: BodyLimits, giveUp?: () => void): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const cancelTimer = clock.after(timeoutMs, () => {
      reject(new Fault("request_timeout"));
      giveUp?.();
    });
    read.finally(cancelTimer).then(resolve, reject);
  });
}

async function readCounted(reader: ByteReader, limits: BodyLimits): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done || value === undefined) return Buffer.concat(pieces);
    bytes += value.length;
    if (bytes > limits.maxBytes) {
      reader.cancel("too large").catch(() => {});
      throw tooLarge(limits);
    }
    pieces.push(value);
  }
}

function tooLarge({ maxBytes, setting }: BodyLimits): Fault {
  const more = setting === undefined ? "" : ` The server's setting ${setting} raises that.`;
  return new Fault("request_too_large", {
    message: `The request body is larger than the ${maxBytes} bytes this route takes.${more}`,
  });
}

/**
 * Frees a chunk's memory at once; the chunk must not be used afterwards. Without this the chunks of a large upload pile up
 * to 60 to 100 MiB before the garbage collector runs (resident memory of the server while 1 GiB passed, with and without).
 */
export function freeMemory(bytes: Uint8Array): void {
  // A chunk that shares its memory must leave it to the others. A transfer to length 0 copies nothing.
  if (bytes.buffer instanceof ArrayBuffer && bytes.byteLength === bytes.buffer.byteLength) bytes.buffer.transfer(0);
}
