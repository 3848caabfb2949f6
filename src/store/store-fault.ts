/** Exit codes of a server whose store cannot be opened, from `sysexits.h`. */
export const STORE_EXIT = {
  /** Another server or a command uses it; the next start may succeed. */
  inUse: 75,
  /** A restart cannot help until somebody changes something. */
  unusable: 78,
} as const;

/** A reason why the store cannot be opened, with what to do about it. */
export class StoreFault extends Error {
  readonly hint: string;
  readonly exitCode: number;

  constructor(message: string, hint: string, exitCode: number = STORE_EXIT.unusable) {
    super(message);
    this.name = "StoreFault";
    this.hint = hint;
    this.exitCode = exitCode;
  }
}

/** Another server uses the store. */
export class StoreInUse extends StoreFault {}

const CORRUPT: readonly string[] = ["SQLITE_CORRUPT", "SQLITE_NOTADB"];
const FULL: readonly string[] = ["SQLITE_FULL"];

/** Explains an error of the file system or of SQLite that came up while the file at `path` was opened. */
export function toStoreFault(error: unknown, path: string): StoreFault {
  if (error instanceof StoreFault) return error;
  const code = codeOf(error);
  if (CORRUPT.some((name) => code.startsWith(name))) {
    return new StoreFault(
      `${path} is damaged, or is not a database (${code})`,
      "restore it from a backup, or move it and the files beside it away to start without what it held",
    );
  }
  if (FULL.some((name) => code.startsWith(name)) || code === "ENOSPC")
    return new StoreFault(`no space is left for ${path} (${code})`, "free some space on the disk of DATA_DIR");
  return new StoreFault(
    `${path} cannot be read and written (${code})`,
    "DATA_DIR must be a directory on a local disk that belongs to the server's user and is not mounted read-only",
  );
}

/** Returns the code of an error of the file system or of SQLite: `EACCES`, `SQLITE_FULL`. */
export function codeOf(error: unknown): string {
  if (error instanceof Error && "code" in error && typeof error.code === "string") return error.code;
  return error instanceof Error ? error.name : typeof error;
}
