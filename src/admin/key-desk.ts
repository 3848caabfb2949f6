import type { Audit, AuditDetail } from "../audit/audit.ts";
import { Fault } from "../errors.ts";
import { isRecord } from "../json/parse.ts";
import type { KeyBook, MadeKey } from "../keys/key-book.ts";
import { DEFAULT_OVERLAP_MS } from "../keys/key-changes.ts";
import type { KeyEntry } from "../keys/key-entry.ts";
import { readKeyPatch, readKeySpec } from "../keys/key-spec.ts";
import { type KeyWriter, unkeptFault } from "../keys/key-writer.ts";
import { type Read, specFault } from "../keys/spec-faults.ts";
import { parseDuration } from "../settings/units.ts";

/** The operator who sends a request, and what identifies a repetition of it. */
export interface Asker {
  /** The caller's name. */
  readonly by: string;
  readonly address: string | undefined;
  /** The header `Idempotency-Key`. */
  readonly idempotencyKey?: string | undefined;
}

export interface KeyDeskOptions {
  /** Undefined for a server that neither keeps made keys nor has a file of them. */
  readonly book: KeyBook | undefined;
  /** Changes the keys of the book. Undefined as well for such a server. */
  readonly writer: Pick<KeyWriter, "create" | "update" | "revoke" | "rotate"> | undefined;
  /** Whether keys that are made survive a restart. None is made otherwise. */
  readonly isKept: () => boolean;
  /** Whether changes of keys cannot be written now, and would be lost at a restart. Never unless given. */
  readonly isFailing?: (() => boolean) | undefined;
  readonly audit: Audit;
}

/** Carries out the requests of operators about keys, and records them in the audit trail. Bodies are parsed but not checked. */
export class KeyDesk {
  readonly #options: KeyDeskOptions;

  constructor(options: KeyDeskOptions) {
    this.#options = options;
  }

  /** Throws `keys_not_kept` for a server that has no keys of this sort. */
  get book(): KeyBook {
    const { book } = this.#options;
    if (book) return book;
    throw new Fault("keys_not_kept");
  }

  find(id: string): KeyEntry {
    const entry = this.book.get(id);
    if (entry) return entry;
    throw new Fault("key_not_found");
  }

  async create(request: unknown, asker: Asker): Promise<MadeKey> {
    const writer = this.#writer();
    if (!this.#options.isKept()) throw new Fault("keys_not_kept");
    if (this.#options.isFailing?.()) throw unkeptFault();
    const spec = valueIn(readKeySpec(request));
    const made = await writer.create(spec, asker);
    if (!made.isRepeat) this.#note("key.create", made.entry, asker, { kind: spec.kind });
    return made;
  }

  async update(id: string, request: unknown, asker: Asker): Promise<KeyEntry> {
    const before = this.find(id);
    const entry = await this.#writer().update(id, valueIn(readKeyPatch(request, before.kind)));
    if (entry.revision !== before.revision) this.#note("key.update", entry, asker, { fields: fieldsOf(request) });
    this.#assertWritten();
    return entry;
  }

  /**
   * Revokes a key. A worker that has joined again may still have its former key, and could come back with it, so that key is
   * revoked as well. A request that fails between the two can be repeated.
   */
  async revoke(id: string, asker: Asker): Promise<KeyEntry> {
    const entry = await this.#revoke(this.find(id), asker);
    for (let former = this.#formerOf(entry); former; former = this.#formerOf(former)) await this.#revoke(former, asker);
    this.#assertWritten();
    return entry;
  }

  async rotate(id: string, request: unknown, asker: Asker): Promise<MadeKey> {
    this.find(id);
    if (this.#options.isFailing?.()) throw unkeptFault();
    const overlapMs = readOverlap(request);
    const made = await this.#writer().rotate(id, overlapMs, asker);
    if (!made.isRepeat) this.#note("key.rotate", made.entry, asker, { overlap_s: Math.round(overlapMs / 1000) });
    return made;
  }

  async #revoke(before: KeyEntry, asker: Asker): Promise<KeyEntry> {
    const entry = await this.#writer().revoke(before.id, asker);
    if (before.revokedAt === undefined) this.#note("key.revoke", entry, asker);
    return entry;
  }

  /** Finds the valid key that another key of the same worker replaces at its next use. */
  #formerOf({ replaces, workerId }: KeyEntry): KeyEntry | undefined {
    const former = replaces === undefined ? undefined : this.#options.book?.get(replaces);
    return former?.workerId === workerId && former?.revokedAt === undefined ? former : undefined;
  }

  #writer(): NonNullable<KeyDeskOptions["writer"]> {
    const { writer } = this.#options;
    if (writer) return writer;
    throw new Fault("keys_not_kept");
  }

  #assertWritten(): void {
    if (this.#options.isFailing?.()) throw unwrittenFault();
  }

  #note(what: string, { id, name }: KeyEntry, { by, address }: Asker, detail: AuditDetail = {}): void {
    this.#options.audit.note({ who: by, address, what, about: id, detail: { name, ...detail } });
  }
}

/** About as long as it takes until failed writes are tried again. */
const RETRY_AFTER_S = 10;
/** A change counts all the same: a leaked key must not stay valid because of a full disk. */
const NOT_WRITTEN =
  "The change is in effect, but the server cannot write to DATA_DIR now, so a restart would undo it. It is written as soon as that works again. The server's log says what is wrong.";

/** The error of a change that was made while `DATA_DIR` cannot be written. */
export function unwrittenFault(): Fault {
  return new Fault("keys_unavailable", { message: NOT_WRITTEN, retryAfterS: RETRY_AFTER_S });
}

function valueIn<T>(read: Read<T>): T {
  if (read.ok) return read.value;
  throw specFault(read);
}

/** Lists the fields that a valid change names: `models,limits.parallel`. */
function fieldsOf(request: unknown): string {
  if (!isRecord(request)) return "";
  const limits = request["limits"];
  const names = Object.keys(request).filter((name) => name !== "limits" || !isRecord(limits));
  return [...names, ...(isRecord(limits) ? Object.keys(limits).map((name) => `limits.${name}`) : [])].join(",");
}

const OVERLAP_FORM = "'overlap' must be a duration such as 48h, 30m or 0s, or a number of seconds.";

function readOverlap(request: unknown): number {
  if (request === undefined) return DEFAULT_OVERLAP_MS;
  if (!isRecord(request))
    throw new Fault("invalid_request", { message: 'The body must be a JSON object, such as {"overlap": "48h"}.' });
  const { overlap, ...rest } = request;
  if (Object.keys(rest).length > 0)
    throw new Fault("invalid_request", { message: "A rotation has only the field 'overlap'." });
  if (overlap === undefined || overlap === null) return DEFAULT_OVERLAP_MS;
  const isGiven = typeof overlap === "string" || typeof overlap === "number";
  const parsed = isGiven ? parseDuration(String(overlap).trim()) : undefined;
  if (parsed !== undefined) return parsed;
  throw new Fault("invalid_request", { message: OVERLAP_FORM, param: "overlap" });
}
