import { Fault } from "../../errors.ts";
import { ClientGone, declaredLength, readBody } from "../../http/body.ts";
import type { Clock } from "../../system/deps.ts";
import type { ByteReader } from "../../wire/byte-reader.ts";
import type { Body } from "../../wire/pump.ts";
import { idAtEnd, type RpcFacts, readFacts, TAIL_BYTES } from "./rpc-facts.ts";

export interface BodyLimits {
  readonly maxBytes: number;
  /** Longest wait for the part of the body that is looked into. */
  readonly timeoutMs: number;
  readonly clock: Clock;
}

/** A request's body, read as far as its message is looked into. */
export interface McpBody {
  /** The body from its first byte; undefined if it is too large. */
  readonly body: Body | undefined;
  readonly facts: RpcFacts;
  /** The JSON-RPC id as it was written; many clients write it last, so that a large body has shown it only at its end. */
  id(): string | undefined;
}

/**
 * Largest body that is read whole. Of a larger one, the same number of bytes is looked into, and the rest streams
 * through.
 */
const WHOLE_BODY_BYTES = 64 * 1024;

/**
 * Reads the beginning of a request's body. A body that is declared too large is read to its end if it is not much larger:
 * its client then gets the refusal, with its id, instead of a broken connection. Rejects with `request_timeout` or
 * `ClientGone`.
 */
export async function readMcpBody(request: Request, limits: BodyLimits): Promise<McpBody> {
  const { maxBytes } = limits;
  const length = declaredLength(request.headers);
  if (!request.body || (length !== undefined && length <= Math.min(WHOLE_BODY_BYTES, maxBytes))) {
    // The caller has lifted the idle timeout already.
    const body = await readBody(request, { ...limits, liftIdleTimeout: () => {} });
    const facts = readFacts(request, body);
    return { body, facts, id: () => facts.id };
  }
  const source = new Source(request.body.getReader());
  await inTime(source, source.readAhead(WHOLE_BODY_BYTES), limits);
  const start = source.held();
  const facts = readFacts(request, start, source.isWhole);
  const id = (): string | undefined => facts.id ?? source.idAtEnd();
  const isTooLarge = source.isWhole ? start.length > maxBytes : (length ?? 0) > maxBytes;
  if (!isTooLarge) return { body: source.isWhole ? start : source.stream(maxBytes), facts, id };
  if ((length ?? 0) <= 2 * maxBytes) await inTime(source, source.discard(2 * maxBytes), limits);
  source.cancel("too large");
  return { body: undefined, facts, id };
}

/** A body on its way through: what was read ahead, then the rest as it comes. */
class Source {
  readonly #reader: ByteReader;
  #ahead: Uint8Array[] = [];
  #bytes = 0;
  /** The last two chunks, until the end; then the body's last bytes. */
  #last: Uint8Array[] = [];
  isWhole = false;

  constructor(reader: ByteReader) {
    this.#reader = reader;
  }

  /** Reads until `bytes` are held or the body is whole. */
  async readAhead(bytes: number): Promise<void> {
    while (!this.isWhole && this.#bytes < bytes) {
      const chunk = await this.#read();
      if (chunk) this.#ahead.push(chunk);
    }
  }

  /** Returns what was read ahead. */
  held(): Uint8Array {
    return this.#ahead.length === 1 && this.#ahead[0] ? this.#ahead[0] : Buffer.concat(this.#ahead);
  }

  /** Reads the rest and keeps nothing of it, until the body has `bytes`. */
  async discard(bytes: number): Promise<void> {
    while (!this.isWhole && this.#bytes < bytes) await this.#read();
  }

  cancel(reason: string): void {
    // Not awaited: the answer must not wait for a client that keeps sending.
    this.#reader.cancel(reason).catch(() => {});
  }

  /** Returns the whole body as a stream, which fails with `request_too_large` when it has more than `maxBytes`. */
  stream(maxBytes: number): ReadableStream<Uint8Array> {
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          const chunk = this.#ahead.shift() ?? (await this.#read());
          if (this.#bytes > maxBytes) {
            this.cancel("too large");
            controller.error(new Fault("request_too_large"));
          } else if (chunk) controller.enqueue(chunk);
          else controller.close();
        },
        cancel: (reason) => this.cancel(String(reason)),
      },
      { highWaterMark: 0 },
    );
  }

  idAtEnd(): string | undefined {
    return this.isWhole ? idAtEnd(Buffer.concat(this.#last)) : undefined;
  }

  async #read(): Promise<Uint8Array | undefined> {
    const { done, value } = await this.#reader.read();
    if (done || value === undefined) {
      this.isWhole = true;
      this.#last = [Buffer.concat(this.#last).subarray(-TAIL_BYTES)];
      return undefined;
    }
    this.#bytes += value.length;
    const before = this.#last.at(-1);
    this.#last = before === undefined || value.length >= TAIL_BYTES ? [value] : [before, value];
    return value;
  }
}

async function inTime(source: Source, read: Promise<void>, { timeoutMs, clock }: BodyLimits): Promise<void> {
  const late = Promise.withResolvers<never>();
  const cancelTimer = clock.after(timeoutMs, () => late.reject(new Fault("request_timeout")));
  try {
    await Promise.race([read, late.promise]);
  } catch (error) {
    source.cancel("late");
    if (error instanceof Fault) throw error;
    throw new ClientGone("the client left while it sent its request", { cause: error });
  } finally {
    cancelTimer();
  }
}
