import { readdirSync, unlinkSync } from "node:fs";
import { type FileHandle, open, unlink } from "node:fs/promises";
import { join } from "node:path";

/** Name of a spool's file, with its owner: `moorage-spool-{process id}-{number}`. */
const FILE_NAME = /^moorage-spool-(\d+)-\d+$/;

/** The disk space that all spools share: a directory, and how many bytes they may use in it together. */
export class SpoolSpace {
  readonly #directory: string;
  readonly #capacity: number;
  #used = 0;
  #files = 0;

  constructor(directory: string, capacityBytes: number) {
    this.#directory = directory;
    this.#capacity = capacityBytes;
  }

  /** Bytes that all spools have reserved. */
  get used(): number {
    return this.#used;
  }

  /** Reserves room for `bytes` more. Returns false if there is not enough. */
  reserve(bytes: number): boolean {
    if (this.#used + bytes > this.#capacity) return false;
    this.#used += bytes;
    return true;
  }

  release(bytes: number): void {
    this.#used -= bytes;
  }

  /**
   * Creates a file that only this user can read. Where the system allows it the file loses its name at once, so that it is
   * gone with the process, however that ends. Elsewhere `remove` deletes it.
   */
  async create(): Promise<{ readonly handle: FileHandle; remove(): Promise<void> }> {
    if (this.#files === 0) this.#sweep();
    this.#files += 1;
    const path = join(this.#directory, `moorage-spool-${process.pid}-${this.#files}`);
    const handle = await open(path, "wx+", 0o600);
    const isNameless = await unlink(path).then(
      () => true,
      () => false, // Windows keeps the name of an open file.
    );
    return {
      handle,
      async remove() {
        await handle.close();
        // A file that is gone already is as good as deleted.
        if (!isNameless) await unlink(path).catch(() => {});
      },
    };
  }

  /** Deletes files that processes left behind which have ended since. */
  #sweep(): void {
    for (const name of readdirSync(this.#directory)) {
      const pid = Number(FILE_NAME.exec(name)?.[1] ?? process.pid);
      if (isRunning(pid)) continue;
      try {
        unlinkSync(join(this.#directory, name));
      } catch {
        // It belongs to another user, or another server deletes it at the same moment.
      }
    }
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: the process exists and belongs to another user.
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
