import type { SpoolSpace } from "./spool-space.ts";

/** How much of a body stays in memory. Most recordings of a sentence or two are smaller. */
export const MEMORY_BYTES = 1024 * 1024;
/** Block size for writing the rest. A write costs by the call, and waits for another thread. */
const BLOCK_BYTES = 512 * 1024;
/** Size of a read: large enough to be worth its call, small enough for one frame. */
export const READ_BYTES = 128 * 1024;

type File = Awaited<ReturnType<SpoolSpace["create"]>>;

/**
 * Keeps the bytes of one body so that they can be read again: 1 MiB in memory, the rest in a temporary file. There may be one
 * append and one read at a time, also side by side. `close` may come at any time.
 */
export class Spool {
  readonly #space: SpoolSpace;
  /** The first bytes, up to `MEMORY_BYTES`. */
  #pieces: Uint8Array[] = [];
  #inMemory = 0;
  /** The file with the rest, the bytes written to it, and the block that is being filled. */
  #file: File | undefined;
  #written = 0;
  #block: Uint8Array | undefined;
  #filled = 0;
  #busy: Promise<unknown> = Promise.resolve();
  #reserved = 0;
  #isClosed = false;

  constructor(space: SpoolSpace) {
    this.#space = space;
  }

  /** Whether the memory that was appended at `at` is itself kept, and not a copy of it. */
  holds(at: number): boolean {
    return !this.#isClosed && at < this.#inMemory;
  }

  /** Appends `bytes`. Rejects if the disk has no room or cannot be written; the spool is unusable then. */
  async append(bytes: Uint8Array): Promise<void> {
    const isFirst = this.#reserved === 0 && this.#inMemory + bytes.length <= MEMORY_BYTES;
    if (isFirst) {
      this.#pieces.push(bytes);
      this.#inMemory += bytes.length;
    } else {
      if (!this.#space.reserve(bytes.length)) throw new Error("no room for more spooled bytes");
      this.#reserved += bytes.length;
      for (let at = 0; at < bytes.length; ) {
        at += this.#fill(bytes.subarray(at));
        if (this.#filled === BLOCK_BYTES) await this.#flush();
      }
    }
  }

  /**
   * Reads at least one byte from `at` on, which must be below the number of bytes appended. The result may be a view on `memory`, which the caller
   * provides, because new memory for every read would cost more than the read. Rejects if the disk cannot be read.
   */
  async read(at: number, memory: Uint8Array): Promise<Uint8Array> {
    if (at < this.#inMemory) return this.#piece(at);
    const offset = at - this.#inMemory;
    if (offset >= this.#written && this.#block) {
      // A copy, because the block may be written and filled again while the caller still holds the result.
      const from = offset - this.#written;
      const piece = this.#block.subarray(from, Math.min(this.#filled, from + memory.length));
      memory.set(piece);
      return memory.subarray(0, piece.length);
    }
    const { handle } = this.#opened();
    const reading = handle.read(memory, 0, Math.min(memory.length, this.#written - offset), offset);
    this.#keepBusy(reading);
    const { bytesRead } = await reading;
    if (bytesRead === 0) throw new Error("the spool's file is shorter than what was written");
    return memory.subarray(0, bytesRead);
  }

  /** Releases memory, file and disk space. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#pieces = [];
    this.#block = undefined;
    this.#space.release(this.#reserved);
    // After the pending work, whether or not it succeeds. Nothing can be done about a file that cannot be closed.
    void this.#busy.then(() => this.#file?.remove().catch(() => {}));
  }

  #piece(at: number): Uint8Array {
    let start = 0;
    for (const piece of this.#pieces) {
      if (at < start + piece.length) return piece.subarray(at - start);
      start += piece.length;
    }
    throw new RangeError(`byte ${at} is not in the spool`);
  }

  /** Copies as much as fits into the block; returns the number of bytes copied. */
  #fill(bytes: Uint8Array): number {
    this.#block ??= new Uint8Array(BLOCK_BYTES);
    const fitting = bytes.subarray(0, BLOCK_BYTES - this.#filled);
    this.#block.set(fitting, this.#filled);
    this.#filled += fitting.length;
    return fitting.length;
  }

  async #flush(): Promise<void> {
    const writing = this.#write();
    this.#keepBusy(writing);
    await writing;
  }

  /** Makes `close` wait for this work. */
  #keepBusy(work: Promise<unknown>): void {
    this.#busy = Promise.allSettled([this.#busy, work]);
  }

  async #write(): Promise<void> {
    this.#file ??= await this.#space.create();
    const { handle } = this.#opened();
    const block = this.#block ?? new Uint8Array(0);
    for (let done = 0; done < this.#filled; ) {
      // A system may write less than it was given, above all when the disk fills up.
      const { bytesWritten } = await handle.write(block, done, this.#filled - done, this.#written + done);
      done += bytesWritten;
    }
    this.#written += this.#filled;
    this.#filled = 0;
  }

  #opened(): File {
    if (!this.#file || this.#isClosed) throw new Error("the spool is closed");
    return this.#file;
  }
}
