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

/** The body of a call that may have to be sent more than once, because a relay has left in that moment. */
export interface CallBody {
  /** Whether the body can be opened again: nothing was read of it beyond the part that is held. */
  readonly mayReopen: boolean;
  /** The bytes that have arrived. */
  readonly bytes: number;
  /** Returns the body from its first byte. A body that was returned before must have been given up. */
  open(): Body;
  /** Says that the body is not opened again: its client stops sending if the last one was given up, now or later. */
  settle(): void;
}

/** A request's body, read as far as its message is looked into. */
export interface McpBody {
  /** Undefined if the body is too large. */
  readonly body: CallBody | undefined;
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
    return { body: wholeBody(body), facts, id: () => facts.id };
  }
  const source = new Source(request.body.getReader(), maxBytes);
  await inTime(source, source.readAhead(WHOLE_BODY_BYTES), limits);
  const start = source.held();
  const facts = readFacts(request, start, source.isWhole);
  const id = (): string | undefined => facts.id ?? source.idAtEnd();
  const isTooLarge = source.isWhole ? start.length > maxBytes : (length ?? 0) > maxBytes;
  if (!isTooLarge) return { body: source.isWhole ? wholeBody(start) : source, facts, id };
  if ((length ?? 0) <= 2 * maxBytes) await inTime(source, source.discard(2 * maxBytes), limits);
  source.cancel("too large");
  return { body: undefined, facts, id };
}

function wholeBody(bytes: Uint8Array): CallBody {
  return { mayReopen: true, bytes: bytes.length, open: () => bytes, settle: () => {} };
}

/** A body on its way through: what was read ahead, then the rest as it comes. */
class Source implements CallBody {
  readonly #reader: ByteReader;
  readonly #maxBytes: number;
  /** Held until more than it is read, so that the body can be opened again. */
  #ahead: Uint8Array[] = [];
  #bytes = 0;
  /** The last two chunks, until the end; then the body's last bytes. */
  #last: Uint8Array[] = [];
  #opened = 0;
  /** Why the stream that was opened last was given up; undefined unless it was. */
  #givenUp: string | undefined;
  #isSettled = false;
  #isReadOn = false;
  isWhole = false;

  constructor(reader: ByteReader, maxBytes: number) {
    this.#reader = reader;
    this.#maxBytes = maxBytes;
  }

  get mayReopen(): boolean {
    return !this.#isSettled && !this.#isReadOn;
  }

  get bytes(): number {
    return this.#bytes;
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
  open(): ReadableStream<Uint8Array> {
    this.#opened += 1;
    this.#givenUp = undefined;
    const turn = this.#opened;
    let at = 0;
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          const chunk = this.#ahead[at] ?? (await this.#readOn());
          at += 1;
          if (this.#bytes > this.#maxBytes) {
            this.cancel("too large");
            controller.error(new Fault("request_too_large"));
          } else if (chunk) controller.enqueue(chunk);
          else controller.close();
        },
        cancel: (reason) => {
          if (turn === this.#opened) this.#giveUp(String(reason));
        },
      },
      { highWaterMark: 0 },
    );
  }

  settle(): void {
    this.#isSettled = true;
    if (this.#givenUp !== undefined) this.cancel(this.#givenUp);
  }

  idAtEnd(): string | undefined {
    return this.isWhole ? idAtEnd(Buffer.concat(this.#last)) : undefined;
  }

  /** A client whose call may be sent again is not stopped yet. */
  #giveUp(reason: string): void {
    if (this.mayReopen) this.#givenUp = reason;
    else this.cancel(reason);
  }

  #readOn(): Promise<Uint8Array | undefined> {
    this.#isReadOn = true;
    this.#ahead = [];
    return this.#read();
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
