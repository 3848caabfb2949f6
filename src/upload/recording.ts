import { drainingFault, Fault } from "../errors.ts";
import { ClientGone, freeMemory } from "../http/body.ts";
import type { Clock } from "../system/deps.ts";
import type { FormReader } from "./form.ts";
import { READ_BYTES, type Spool } from "./spool.ts";

/**
 * The part of a stream reader that is used here. The library's types for readers differ between runtimes. A chunk's memory
 * belongs to the caller of `read`.
 */
export interface ByteReader {
  read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }>;
  cancel(reason: string): Promise<void>;
}

export interface RecordingOptions {
  readonly source: ByteReader;
  readonly form: FormReader;
  readonly spool: Spool;
  readonly limit: UploadLimit;
  /** Bytes of an upload that are kept while it streams to a worker. A larger one cannot be sent again. */
  readonly replayBytes: number;
  /** Longest time without a byte before the awaited field. After that the job watches for silence. */
  readonly stallMs: number;
  readonly clock: Clock;
  /** Aborted when the server drains. It ends an upload whose awaited field has not arrived, since that is not a job yet. */
  readonly drainSignal: AbortSignal;
  /** Called at most once, when the spool has failed. The upload continues without it and cannot be sent again. */
  readonly onUnspooled: (error: unknown) => void;
}

/** The largest upload that a route takes, and the setting of that limit. */
export interface UploadLimit {
  readonly bytes: number;
  /** Its environment variable, for the error. */
  readonly setting: string;
}

/** A chunk and its offset in the body. */
interface Chunk {
  readonly at: number;
  readonly bytes: Uint8Array;
}

/** Whether bytes may be passed on if they cannot be kept. They must be kept while no worker is there to take them. */
type Keeping = "must keep" | "may lose";

/**
 * A client's upload on its way to a worker. It is read only as fast as the worker takes it. Until the answer begins it is
 * kept, so that it can be sent again from its first byte if a worker is lost.
 */
export class Recording {
  readonly #options: RecordingOptions;
  readonly #isStream = Promise.withResolvers<boolean>();
  #read = 0;
  #isWhole = false;
  /** The spool has every byte that was read. */
  #isKept = true;
  /** The chunk that was read last, unless the spool keeps its memory. */
  #consumed: Uint8Array | undefined;
  /** The pending read of the source, which all callers share. */
  #reading: Promise<Chunk | undefined> | undefined;

  constructor(options: RecordingOptions) {
    this.#options = options;
  }

  /** Bytes that the client has sent so far. */
  get bytes(): number {
    return this.#read;
  }

  /** Whether the form asks for an event stream. Resolves when the body is whole, or to false at `close`. */
  get isStream(): Promise<boolean> {
    return this.#isStream.promise;
  }

  /** Whether the form has asked for an event stream so far. */
  get isStreamSoFar(): boolean {
    return this.#options.form.isStream;
  }

  /** Reads until the awaited field has passed, and resolves to its value. Rejects with a `Fault`, or `ClientGone`. */
  async readAwaited(): Promise<string> {
    const { form, drainSignal } = this.#options;
    const drained = Promise.withResolvers<never>();
    const refuse = (): void => drained.reject(drainingFault());
    drainSignal.addEventListener("abort", refuse);
    try {
      while (form.awaited === undefined) {
        // The end of a form without the field is a fault, so there is always more.
        await Promise.race([this.#inTime(this.#next("must keep")), drained.promise]);
      }
    } finally {
      drainSignal.removeEventListener("abort", refuse);
    }
    return form.awaited;
  }

  /** False once the bytes that were sent are no longer kept. */
  get canBeSentAgain(): boolean {
    return this.#isKept;
  }

  /**
   * Returns the body from its first byte. There may be one stream at a time; the one before must have been cancelled. A chunk
   * is valid until the next one is requested.
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
      // Nothing is read ahead: the upload goes as fast as the worker takes it.
      { highWaterMark: 0 },
    );
  }

  /** Drops what was kept. To be called when the answer has begun: nothing will be sent again. */
  stopKeeping(): void {
    if (!this.#isKept) return;
    this.#isKept = false;
    this.#options.spool.close();
  }

  /** Ends the recording. Whatever the client still sends is discarded. */
  close(): void {
    this.stopKeeping();
    this.#isStream.resolve(false);
    // If the source fails while it is being given up, that failure no longer matters.
    this.#options.source.cancel("over").catch(() => {});
  }

  async #bytesAt(at: number, memory: Uint8Array): Promise<Uint8Array | undefined> {
    for (;;) {
      if (at < this.#read) {
        if (!this.#isKept) throw new Fault("worker_lost");
        return this.#readSpool(at, memory);
      }
      if (this.#isWhole) return undefined;
      // New bytes go straight to the worker, so the upload can continue without keeping them.
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

  /** Returns the source's next chunk after it was parsed and spooled; undefined at the end. Concurrent callers share it. */
  #next(keeping: Keeping): Promise<Chunk | undefined> {
    this.#reading ??= this.#advance(keeping).finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #advance(keeping: Keeping): Promise<Chunk | undefined> {
    const { form, spool, limit } = this.#options;
    if (this.#consumed) freeMemory(this.#consumed);
    this.#consumed = undefined;
    const bytes = await this.#readSource();
    if (!bytes) {
      await form.end();
      this.#isWhole = true;
      this.#isStream.resolve(form.isStream);
      return undefined;
    }
    const at = this.#read;
    if (at + bytes.length > limit.bytes) throw tooLarge(limit);
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
    if (keeping === "may lose" && this.#read + bytes.length > replayBytes) return this.stopKeeping();
    try {
      await spool.append(bytes);
    } catch (error) {
      if (keeping === "must keep") throw new Fault("spool_unavailable", { cause: error });
      if (!this.#isKept) return;
      this.stopKeeping();
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

/** Creates the 413 for an upload over its limit. */
export function tooLarge({ bytes, setting }: UploadLimit): Fault {
  return new Fault("request_too_large", {
    message: `The upload is larger than the ${bytes} bytes this route takes. The server's setting ${setting} raises that.`,
  });
}
