import type { SpoolSpace } from "./spool-space.ts";

/** What of a body stays in memory: most recordings of a sentence or two. */
export const MEMORY_BYTES = 1024 * 1024;
/** The rest is written in blocks of this size: a write costs by the call, and waits for another thread. */
const BLOCK_BYTES = 512 * 1024;
/** A read is worth its call, and what it gives fits in one frame. */
export const READ_BYTES = 128 * 1024;

type File = Awaited<ReturnType<SpoolSpace["create"]>>;

/**
 * The bytes of one body from its first to its latest, to be read again: 1 MiB in memory, the rest in a temporary file.
 * Appends follow each other, and so do reads; a read may run beside an append, and `close` may come at any time.
 */
export class Spool {
  readonly #space: SpoolSpace;
  #length = 0;
  /** The first bytes, up to `MEMORY_BYTES`. */
  #pieces: Uint8Array[] = [];
  #inMemory = 0;
  /** Of the rest: what is on disk, and the block that is being filled. */
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

  get length(): number {
    return this.#length;
  }

  /** Whether the very memory that was appended at `at` is kept, and not a copy. */
  holds(at: number): boolean {
    return !this.#isClosed && at < this.#inMemory;
  }

  /** Rejects when there is no room on the disk, or it cannot be written: the spool is of no more use then. */
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
    this.#length += bytes.length;
  }

  /**
   * Some bytes from `at` on, at least one; `at` must be below `length`. They may stand in `memory`, which is the caller's:
   * new memory for every read would cost more than the read. Rejects when the disk cannot be read.
   */
  async read(at: number, memory: Uint8Array): Promise<Uint8Array> {
    if (at < this.#inMemory) return this.#piece(at);
    const offset = at - this.#inMemory;
    if (offset >= this.#written && this.#block) {
      // A copy: the block may be written and filled anew while somebody still holds what was read.
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

  /** Gives memory, file and room back. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#pieces = [];
    this.#block = undefined;
    this.#space.release(this.#reserved);
    // After what runs, whether that succeeds or not; a file that cannot be closed is nobody's to mend.
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

  /** Copies what fits into the block; returns how much that was. */
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

  /** `close` waits for it. */
  #keepBusy(work: Promise<unknown>): void {
    this.#busy = Promise.allSettled([this.#busy, work]);
  }

  async #write(): Promise<void> {
    this.#file ??= await this.#space.create();
    const { handle } = this.#opened();
    const block = this.#block ?? new Uint8Array(0);
    for (let done = 0; done < this.#filled; ) {
      // Systems may write less than asked for, most of all when the disk fills up.
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
