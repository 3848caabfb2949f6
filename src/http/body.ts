import { Fault } from "../errors.ts";
import type { Clock } from "../system/deps.ts";

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
  /** The variable that raises `maxBytes`, for whoever is refused; left out where none does. */
  readonly setting?: string;
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
  const length = declaredLength(request.headers);
  if (length !== undefined && length > limits.maxBytes) throw tooLarge(limits);
  try {
    // With a declared length Bun gathers the body natively, without ever making a stream of it; without one it must be
    // counted on the way.
    if (length !== undefined && length <= SMALL_BODY_BYTES) return await request.bytes();
    limits.liftIdleTimeout();
    if (length !== undefined) return await inTime(request.bytes(), limits);
    const reader = request.body?.getReader();
    if (!reader) return new Uint8Array(0);
    // Not awaited, here and below: the answer must not wait for a client that goes on sending.
    return await inTime(readCounted(reader, limits), limits, () => void reader.cancel("late").catch(() => {}));
  } catch (error) {
    if (error instanceof Fault) throw error;
    throw new ClientGone("the client left while it sent its request", { cause: error });
  }
}

/** The body's length as declared. Undefined without a plain number: Bun lets two equal headers through, joined. Such a body is counted. */
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

/** The part of a stream's reader that is needed here; the library types of readers differ between runtimes. */
interface Reader {
  read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }>;
  cancel(reason: string): Promise<void>;
}

async function readCounted(reader: Reader, limits: BodyLimits): Promise<Uint8Array> {
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
 * Gives a chunk's memory back now. Left to the garbage collector, the chunks of a large upload pile up to 60 to 100 MiB
 * before it runs (resident memory of the server while 1 GiB passed, with and without this).
 */
export function freeNow(bytes: Uint8Array): void {
  // What shares its memory with others is not this chunk's to free; there is no copying to a length of nothing.
  if (bytes.buffer instanceof ArrayBuffer && bytes.byteLength === bytes.buffer.byteLength) bytes.buffer.transfer(0);
}
