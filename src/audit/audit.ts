import type { Clock } from "../system/deps.ts";
import { KeyMask } from "../system/key-mask.ts";

/** Details of a note: numbers, names and reasons. They MUST NOT hold keys or other secrets. */
export type AuditDetail = Readonly<Record<string, string | number | boolean | null | undefined>>;

/** Something that an operator did, or that was done to a key. */
export interface AuditNote {
  /** The name of the caller: `admin-key:1`. */
  readonly who: string;
  /** The client's address, if it is known. */
  readonly address?: string | undefined;
  /** What was done, as a name with dots: `worker.drain`, `sign_in`. */
  readonly what: string;
  /** The id of what it was done to. */
  readonly about?: string | undefined;
  readonly detail?: AuditDetail | undefined;
}

/** A note in the trail. */
export interface AuditEntry extends AuditNote {
  /** Grows from entry to entry. */
  readonly id: number;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** Records who did what. */
export interface Audit {
  /** Never throws. */
  note(note: AuditNote): void;
}

/** Which entries to read. */
export interface AuditQuery {
  /** Only entries that are older than the one with this id. */
  readonly before?: number | undefined;
  readonly who?: string | undefined;
  readonly what?: string | undefined;
  readonly about?: string | undefined;
  readonly limit: number;
}

/** Keeps the trail beyond the life of the process. Methods MUST NOT throw if a write fails. */
export interface AuditRecords {
  /** Returns the id of the newest entry; 0 if there is none. */
  lastId(): number;
  /** Returns entries, the newest first. */
  read(query: AuditQuery): readonly AuditEntry[];
  add(entry: AuditEntry): void;
  /** Removes the entries from before a time, and those up to an id. */
  prune(before: number, upToId: number): void;
}

/** How long entries are kept: a year and a month, so that a yearly review finds the whole year. */
const KEPT_MS = 396 * 86_400_000;
/** The most entries that are kept. Each takes about 200 bytes. */
const MAX_ENTRIES = 100_000;
/** How many entries are added between two looks for old ones. */
const PRUNE_EVERY = 100;
/** The longest text of an entry. Names of callers and ids are bounded elsewhere, but not all to the same length. */
const MAX_CHARS = 256;

/** The trail of what operators did. Its length is bounded: the oldest entries are removed. */
export class AuditTrail implements Audit {
  readonly #clock: Pick<Clock, "now">;
  readonly #records: AuditRecords;
  readonly #mask: KeyMask;
  #lastId: number;

  /** `mask` takes keys out of notes. Absent: only made keys are known. */
  constructor(clock: Pick<Clock, "now">, records: AuditRecords, mask: KeyMask = new KeyMask()) {
    this.#clock = clock;
    this.#records = records;
    this.#mask = mask;
    this.#lastId = records.lastId();
  }

  note({ who, address, what, about, detail }: AuditNote): void {
    this.#lastId += 1;
    const now = this.#clock.now();
    this.#records.add({
      id: this.#lastId,
      at: now,
      who: who.slice(0, MAX_CHARS),
      address,
      what,
      about: about === undefined ? undefined : this.#mask.apply(about).slice(0, MAX_CHARS),
      detail: detail && this.#masked(detail),
    });
    if (this.#lastId % PRUNE_EVERY === 0) this.#records.prune(now - KEPT_MS, this.#lastId - MAX_ENTRIES);
  }

  read(query: AuditQuery): readonly AuditEntry[] {
    return this.#records.read(query);
  }

  #masked(detail: AuditDetail): AuditDetail {
    const entries = Object.entries(detail);
    return Object.fromEntries(
      entries.map(([name, value]) => [name, typeof value === "string" ? this.#mask.apply(value) : value]),
    );
  }
}
