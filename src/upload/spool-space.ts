import { readdirSync, unlinkSync } from "node:fs";
import { type FileHandle, open, unlink } from "node:fs/promises";
import { join } from "node:path";

/** A file's name tells whose it is: `moorage-spool-{process id}-{number}`. */
const FILE_NAME = /^moorage-spool-(\d+)-\d+$/;

/** The disk that all spools share: a directory, and how many bytes they may occupy in it together. */
export class SpoolSpace {
  readonly #directory: string;
  readonly #capacity: number;
  #used = 0;
  #files = 0;

  constructor(directory: string, capacityBytes: number) {
    this.#directory = directory;
    this.#capacity = capacityBytes;
  }

  /** Bytes that spools hold on disk now. */
  get used(): number {
    return this.#used;
  }

  /** False when there is no room for so many bytes more. */
  reserve(bytes: number): boolean {
    if (this.#used + bytes > this.#capacity) return false;
    this.#used += bytes;
    return true;
  }

  release(bytes: number): void {
    this.#used -= bytes;
  }

  /**
   * A new file, readable by this process alone. Where the system allows it the file loses its name at once, so that it
   * is gone with the process however that ends; elsewhere `remove` removes it.
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
        // Gone already is as good.
        if (!isNameless) await unlink(path).catch(() => {});
      },
    };
  }

  /** Removes what processes that are no more have left behind. */
  #sweep(): void {
    for (const name of readdirSync(this.#directory)) {
      const pid = Number(FILE_NAME.exec(name)?.[1] ?? process.pid);
      if (isRunning(pid)) continue;
      try {
        unlinkSync(join(this.#directory, name));
      } catch {
        // Another user's, or removed by another server that looks at the same moment.
      }
    }
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: somebody else's process.
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
