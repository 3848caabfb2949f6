import type { SpoolSpace } from "./spool-space.ts";

/** What of a body stays in memory: most recordings of a sentence or two. */
export const MEMORY_BYTES = 1024 * 1024;
/** Pieces are gathered to this size before they are written: writes of a file cost by the call. */
const WRITE_BYTES = 512 * 1024;
const READ_BYTES = 128 * 1024;

type File = Awaited<ReturnType<SpoolSpace["create"]>>;

/**
 * The bytes of one body from its first to its latest, to be read again: 1 MiB in memory, the rest in a temporary file.
 * Appending and reading take turns in one caller's hands; closing may come at any time.
 */
export class Spool {
  readonly #space: SpoolSpace;
  #length = 0;
  /** The first bytes, up to `MEMORY_BYTES`. */
  #pieces: Uint8Array[] = [];
  #inMemory = 0;
  /** Of the rest: on disk, and gathered to be written next. */
  #file: File | undefined;
  #written = 0;
  #gathered: Uint8Array[] = [];
  #gatheredBytes = 0;
  #writing: Promise<void> = Promise.resolve();
  #reserved = 0;
  #isClosed = false;

  constructor(space: SpoolSpace) {
    this.#space = space;
  }

  get length(): number {
    return this.#length;
  }

  /** Rejects when there is no room on the disk, or it cannot be written: the spool is of no more use then. */
  async append(bytes: Uint8Array): Promise<void> {
    this.#length += bytes.length;
    if (this.#gatheredBytes === 0 && this.#written === 0 && this.#inMemory + bytes.length <= MEMORY_BYTES) {
      this.#pieces.push(bytes);
      this.#inMemory += bytes.length;
      return;
    }
    if (!this.#space.reserve(bytes.length)) throw new Error("no room for more spooled bytes");
    this.#reserved += bytes.length;
    this.#gathered.push(bytes);
    this.#gatheredBytes += bytes.length;
    if (this.#gatheredBytes >= WRITE_BYTES) await this.#flush();
  }

  /** Some bytes from `at` on, at least one; `at` must be below `length`. Rejects when the disk cannot be read. */
  async read(at: number): Promise<Uint8Array> {
    if (at < this.#inMemory) return this.#readMemory(at);
    await this.#flush();
    const { handle } = this.#opened();
    const offset = at - this.#inMemory;
    const buffer = new Uint8Array(Math.min(READ_BYTES, this.#written - offset));
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, offset);
    if (bytesRead === 0) throw new Error("the spool's file is shorter than what was written");
    return buffer.subarray(0, bytesRead);
  }

  /** Gives memory, file and room back. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#pieces = [];
    this.#gathered = [];
    this.#space.release(this.#reserved);
    // After the write that runs, whether it succeeds or not; a file that cannot be closed is nobody's to mend.
    const remove = (): Promise<void> | undefined => this.#file?.remove().catch(() => {});
    void this.#writing.then(remove, remove);
  }

  #readMemory(at: number): Uint8Array {
    let start = 0;
    for (const piece of this.#pieces) {
      if (at < start + piece.length) return piece.subarray(at - start);
      start += piece.length;
    }
    throw new RangeError(`byte ${at} is not in the spool`);
  }

  #flush(): Promise<void> {
    this.#writing = this.#writing.then(() => this.#write());
    return this.#writing;
  }

  async #write(): Promise<void> {
    if (this.#isClosed) throw new Error("the spool is closed");
    const pieces = this.#gathered;
    if (pieces.length === 0) return;
    this.#file ??= await this.#space.create();
    this.#gathered = [];
    const bytes = this.#gatheredBytes;
    this.#gatheredBytes = 0;
    await writeAll(this.#file, pieces, this.#written);
    this.#written += bytes;
  }

  #opened(): File {
    if (!this.#file || this.#isClosed) throw new Error("the spool is closed");
    return this.#file;
  }
}

async function writeAll({ handle }: File, pieces: readonly Uint8Array[], at: number): Promise<void> {
  let { bytesWritten: done } = await handle.writev(pieces, at);
  const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0);
  if (done === bytes) return;
  // Systems may write less than asked for, most of all when the disk fills up.
  const whole = Buffer.concat(pieces);
  while (done < bytes) done += (await handle.write(whole, done, bytes - done, at + done)).bytesWritten;
}
