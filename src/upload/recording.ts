import { Fault } from "../errors.ts";
import { ClientGone, freeNow } from "../http/body.ts";
import type { Clock } from "../system/deps.ts";
import type { FormReader } from "./form.ts";
import { READ_BYTES, type Spool } from "./spool.ts";

/**
 * The part of a stream's reader that is needed here; the library types of readers differ between runtimes. What it reads
 * belongs to whoever reads it.
 */
export interface ByteReader {
  read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }>;
  cancel(reason: string): Promise<void>;
}

export interface RecordingOptions {
  readonly source: ByteReader;
  readonly form: FormReader;
  readonly spool: Spool;
  readonly maxBytes: number;
  /** An upload that streams through is kept up to this size; past it, it cannot be sent again. */
  readonly replayBytes: number;
  /** Longest time without a byte while the model is looked for; a job watches over what comes after. */
  readonly stallMs: number;
  readonly clock: Clock;
  /** Aborted when the server takes no more work: an upload that has not named its model is no job yet. */
  readonly drainSignal: AbortSignal;
  /** The spool failed, and the upload goes on without: it cannot be sent a second time. Called once at most. */
  readonly onUnspooled: (error: unknown) => void;
}

/** A chunk, and where in the body it begins. */
interface Chunk {
  readonly at: number;
  readonly bytes: Uint8Array;
}

/** Whether bytes that cannot be kept may be passed on all the same: not while nobody is there to take them. */
type Keeping = "must keep" | "may lose";

/**
 * A client's upload on its way to a worker. It is read only as fast as somebody takes it, and what was read is kept until
 * the answer begins, so that it can be sent again from its first byte when a worker is lost.
 */
export class Recording {
  readonly #options: RecordingOptions;
  readonly #isStream = Promise.withResolvers<boolean>();
  #read = 0;
  #isWhole = false;
  /** What the spool has is the whole of what was read. */
  #isKept = true;
  /** The chunk that was read last, unless the spool holds on to it. */
  #consumed: Uint8Array | undefined;
  /** The one read of the source that is under way, whoever waits for it. */
  #reading: Promise<Chunk | undefined> | undefined;

  constructor(options: RecordingOptions) {
    this.#options = options;
  }

  /** Bytes that the client has sent so far. */
  get bytes(): number {
    return this.#read;
  }

  /** Whether the form asks for an event stream: known once the body is whole, false when it never is. */
  get isStream(): Promise<boolean> {
    return this.#isStream.promise;
  }

  /** What the form has said of it so far. */
  get isStreamSoFar(): boolean {
    return this.#options.form.isStream;
  }

  /** Reads until the form has named its model. Rejects with a `Fault`, or `ClientGone`. */
  async readModel(): Promise<string> {
    const { form, drainSignal } = this.#options;
    const drained = Promise.withResolvers<never>();
    const refuse = (): void => drained.reject(new Fault("draining", { retryAfterS: 5 }));
    drainSignal.addEventListener("abort", refuse);
    try {
      while (form.model === undefined) {
        // The end of a form without a model is a fault, so there is always more.
        await Promise.race([this.#inTime(this.#next("must keep")), drained.promise]);
      }
    } finally {
      drainSignal.removeEventListener("abort", refuse);
    }
    return form.model;
  }

  /** False once some of what was sent can no longer be sent again. */
  get canBeSentAgain(): boolean {
    return this.#isKept;
  }

  /**
   * The body from its first byte. One stream at a time; the one before must have been cancelled. A chunk of it is good
   * until the next one is asked for.
   */
  body(): ReadableStream<Uint8Array> {
    let at = 0;
    const memory = new Uint8Array(READ_BYTES);
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          const bytes = await this.#bytesAt(at, memory);
          if (!bytes) return controller.close();
          at += bytes.length;
          controller.enqueue(bytes);
        },
      },
      // Nothing is read ahead: the client's upload goes as fast as the worker takes it.
      { highWaterMark: 0 },
    );
  }

  /** The answer has begun, so nothing will be sent again. */
  keepNoMore(): void {
    if (!this.#isKept) return;
    this.#isKept = false;
    this.#options.spool.close();
  }

  /** Over, however it ended. What the client still sends is discarded. */
  close(): void {
    this.keepNoMore();
    this.#isStream.resolve(false);
    // A source that fails while it is being given up has nobody left to tell.
    this.#options.source.cancel("over").catch(() => {});
  }

  async #bytesAt(at: number, memory: Uint8Array): Promise<Uint8Array | undefined> {
    for (;;) {
      if (at < this.#read) {
        if (!this.#isKept) throw new Fault("worker_lost");
        return this.#readSpool(at, memory);
      }
      if (this.#isWhole) return undefined;
      // At the tip, where the bytes are passed on: losing them for a second time is no reason to stop.
      const chunk = await this.#next("may lose");
      if (chunk?.at === at && chunk.bytes.length > 0) return chunk.bytes;
    }
  }

  async #readSpool(at: number, memory: Uint8Array): Promise<Uint8Array> {
    try {
      return await this.#options.spool.read(at, memory);
    } catch (error) {
      throw new Fault("spool_unavailable", { cause: error });
    }
  }

  /** The next chunk of the source, spooled and looked into; undefined at the end. Callers at the same time share it. */
  #next(keeping: Keeping): Promise<Chunk | undefined> {
    this.#reading ??= this.#advance(keeping).finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #advance(keeping: Keeping): Promise<Chunk | undefined> {
    const { form, spool, maxBytes } = this.#options;
    if (this.#consumed) freeNow(this.#consumed);
    this.#consumed = undefined;
    const bytes = await this.#readSource();
    if (!bytes) {
      await form.end();
      this.#isWhole = true;
      this.#isStream.resolve(form.isStream);
      return undefined;
    }
    const at = this.#read;
    if (at + bytes.length > maxBytes) throw tooLarge(maxBytes);
    await form.write(bytes);
    await this.#keep(bytes, keeping);
    this.#read += bytes.length;
    if (!spool.holds(at)) this.#consumed = bytes;
    return { at, bytes };
  }

  async #readSource(): Promise<Uint8Array | undefined> {
    try {
      const { done, value } = await this.#options.source.read();
      return done ? undefined : (value ?? new Uint8Array(0));
    } catch (error) {
      throw new ClientGone("the client left while it sent its request", { cause: error });
    }
  }

  async #keep(bytes: Uint8Array, keeping: Keeping): Promise<void> {
    const { spool, replayBytes, onUnspooled } = this.#options;
    if (!this.#isKept) return;
    if (keeping === "may lose" && this.#read + bytes.length > replayBytes) return this.keepNoMore();
    try {
      await spool.append(bytes);
    } catch (error) {
      if (keeping === "must keep") throw new Fault("spool_unavailable", { cause: error });
      if (!this.#isKept) return;
      this.keepNoMore();
      onUnspooled(error);
    }
  }

  #inTime<T>(work: Promise<T>): Promise<T> {
    const { clock, stallMs } = this.#options;
    return new Promise((resolve, reject) => {
      const cancelTimer = clock.after(stallMs, () => reject(new Fault("request_timeout")));
      work.finally(cancelTimer).then(resolve, reject);
    });
  }
}

/** The 413 of an upload over its limit. */
export function tooLarge(maxBytes: number): Fault {
  return new Fault("request_too_large", {
    message: `The upload is larger than the ${maxBytes} bytes this route takes. The server's setting MAX_AUDIO_BODY_BYTES raises that.`,
  });
}
