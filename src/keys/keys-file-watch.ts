import type { CancelTimer, Clock, Log } from "../system/deps.ts";
import type { KeyBook } from "./key-book.ts";
import type { KeyEntry } from "./key-entry.ts";
import { type KeySecrets, readKeysFile } from "./keys-file.ts";
import type { TenantBook } from "./tenant-book.ts";

/** `KEYS_FILE`, and what its references lead to. */
export interface KeysFileSource {
  /** For the log. */
  readonly path: string;
  /** Returns the text of `KEYS_FILE`; throws if it cannot be read. */
  readonly read: () => string;
  /** Returns a text that differs when the file has changed; undefined if there is no file. Never rejects. */
  readonly stamp: () => Promise<string | undefined>;
  readonly secrets: KeySecrets;
}

export interface KeysFileOptions {
  readonly source: KeysFileSource;
  readonly book: KeyBook;
  readonly tenants: TenantBook;
  readonly clock: Clock;
  readonly log: Log;
}

/** The time between two looks at the file. A directory that is watched for events would miss network drives. */
const LOOK_EVERY_MS = 500;

/**
 * Keeps the keys of `KEYS_FILE` in the book, and reads the file again when it has changed. A file that has mistakes changes
 * nothing: its last valid version stays in force, and `problem` says why.
 */
export class KeysFileWatch {
  readonly #options: KeysFileOptions;
  /** The stamp of the version that was read last. */
  #read: string | undefined;
  /** The stamp at the last look. */
  #seen: string | undefined;
  #problem: string | undefined;
  #stop: CancelTimer | undefined;

  constructor(options: KeysFileOptions) {
    this.#options = options;
  }

  /** The file, and what is wrong with it; undefined while it is in force. Contains no secret. */
  get problem(): string | undefined {
    return this.#problem === undefined ? undefined : `${this.#options.source.path}: ${this.#problem}`;
  }

  /** Reads the file for the first time, and watches it from then on. Returns what is wrong with it, if something is. */
  async start(): Promise<readonly string[]> {
    const { clock, source } = this.#options;
    this.#seen = await source.stamp();
    this.#read = this.#seen;
    const faults = this.reload();
    this.#stop ??= clock.every(LOOK_EVERY_MS, () => void this.#look());
    return faults;
  }

  stop(): void {
    this.#stop?.();
    this.#stop = undefined;
  }

  /** Reads the file now. Returns what is wrong with it, after which nothing has changed. */
  reload(): readonly string[] {
    const { book, tenants, log, source } = this.#options;
    const read = this.#parse();
    if (!read.ok) {
      const reason = read.faults.join("; ");
      if (reason !== this.#problem) log.error("keys_file.refused", { file: source.path, reason });
      this.#problem = reason;
      return read.faults;
    }
    const counts = { created: 0, changed: 0, rotated: 0, revoked: 0, removed: 0 };
    const stopCounting = book.onChange(({ kind }) => {
      counts[kind] += 1;
    });
    book.replaceFile(read.entries);
    stopCounting();
    tenants.replaceFile(read.tenants);
    this.#problem = undefined;
    log.info("keys_file.read", {
      file: source.path,
      keys: read.entries.length,
      tenants: read.tenants.length,
      added: counts.created,
      changed: counts.changed + counts.rotated,
      removed: counts.removed,
    });
    return [];
  }

  #parse() {
    const { source, clock } = this.#options;
    let text: string;
    try {
      text = source.read();
    } catch (error) {
      const reason = error instanceof Error && "code" in error ? String(error.code) : "unknown reason";
      return { ok: false as const, faults: [`the file cannot be read (${reason})`] };
    }
    const read = readKeysFile(text, source.secrets, clock.now());
    const faults = read.ok ? this.#clashes(read.entries) : [];
    return faults.length > 0 ? { ok: false as const, faults } : read;
  }

  /** Lists the keys that were made here as well. Otherwise the file could bring back a key that was revoked. */
  #clashes(entries: readonly KeyEntry[]): readonly string[] {
    const { book } = this.#options;
    return entries.flatMap(({ name, secret, former }) => {
      const made = [secret, ...former].map(({ hash }) => book.findByHash(hash)).find((each) => each?.source === "made");
      return made ? [`'${name}' has a secret of the made key ${made.id}; give it another one`] : [];
    });
  }

  /** Reads the file if it has changed and rests: the beginning of a file that is being written may be valid as well. */
  async #look(): Promise<void> {
    const stamp = await this.#options.source.stamp();
    if (this.#stop === undefined) return;
    const rests = stamp === this.#seen;
    this.#seen = stamp;
    if (!rests || stamp === this.#read) return;
    this.#read = stamp;
    this.reload();
  }
}
