/**
 * The cost of a file by itself: on request, this writes a number of bytes to an unnamed file, evenly over the given time, and
 * does nothing else. Argument: the directory.
 */
import { closeSync, openSync, unlinkSync, writeSync } from "node:fs";
import { join } from "node:path";

export interface WriteQuestion {
  readonly bytes: number;
  readonly seconds: number;
}

/** The size of a write of the server's spool. */
const BLOCK = new Uint8Array(512 * 1024);

const [directory = ""] = process.argv.slice(2);

async function write({ bytes, seconds }: WriteQuestion): Promise<void> {
  const path = join(directory, "plain-write");
  const file = openSync(path, "wx+", 0o600);
  unlinkSync(path);
  const startedAt = performance.now();
  for (let written = 0; written < bytes; written += BLOCK.length) {
    const early = (written / bytes) * seconds * 1000 - (performance.now() - startedAt);
    if (early > 0) await Bun.sleep(early);
    writeSync(file, BLOCK);
  }
  closeSync(file);
}

process.on("disconnect", () => process.exit(0));
process.on("message", (message) => {
  // The harness sends nothing else.
  write(message as WriteQuestion).then(
    () => process.send?.({}),
    (error: unknown) => {
      console.error("plain-write", error);
      process.exit(1);
    },
  );
});
process.send?.({});
