import { closeSync, mkdirSync, openSync, renameSync, statSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import type { Write } from "./log-writer.ts";

/** The size at which a file is replaced. The one before it stays, so a log takes twice this at most, and a line. */
export const LOG_FILE_BYTES = 10 * 1024 * 1024;

/**
 * Returns a writer to a file, which only its owner may read. A full file is renamed to `<path>.1`, in place of an older one. For
 * systems that keep no logs of services. Throws if the file cannot be opened.
 */
export function toLogFile(path: string, maxBytes: number = LOG_FILE_BYTES): Write {
  mkdirSync(dirname(path), { recursive: true });
  let file = openSync(path, "a", 0o600);
  let size = statSync(path).size;
  return (bytes) => {
    if (size > 0 && size + bytes.length > maxBytes) {
      closeSync(file);
      rename(path);
      file = openSync(path, "a", 0o600);
      size = 0;
    }
    const written = writeSync(file, bytes);
    size += written;
    return written;
  };
}

/** A file that another program holds open on Windows cannot be renamed. It grows on until it is full again. */
function rename(path: string): void {
  try {
    renameSync(path, `${path}.1`);
  } catch {}
}
