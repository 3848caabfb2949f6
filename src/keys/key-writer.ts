import { Fault } from "../errors.ts";
import type { Clock } from "../system/deps.ts";
import type { KeyBook, MadeKey } from "./key-book.ts";
import type { ChangeRequest, KeyDraft, KeyUse, SecretDraft } from "./key-drafts.ts";
import type { KeyEntry } from "./key-entry.ts";
import type { KeyPatch, KeySpec } from "./key-spec.ts";
import { areShared, type SharedKeys } from "./shared-keys.ts";

export interface KeyWriterOptions {
  readonly book: KeyBook;
  /** Undefined for a server that has its keys for itself. */
  readonly shared?: SharedKeys | undefined;
  readonly clock: Pick<Clock, "after">;
  /** Whether changes of keys cannot be written now, and would be lost at a restart. Not asked if keys are shared. Absent: no. */
  readonly isFailing?: (() => boolean) | undefined;
}

/** How often a change is worked out again because another server was faster. Each time, that server has made its change. */
const MAX_ATTEMPTS = 30;
/** The longest pause before another attempt, times the number of attempts so far. */
const PAUSE_MS = 5;
/** When a client may try again to change a key while NATS is away, in seconds. A restart of NATS takes about as long. */
const RETRY_AFTER_S = 5;
/** About as long as it takes until failed writes to `DATA_DIR` are tried again. */
const REWRITE_AFTER_S = 10;

const UNKNOWN =
  "The connection to the records of the cluster broke while the key was changed, so it is not known whether it was. Send the request again, with the same Idempotency-Key if it had one, or look at the key.";

const NOTHING_CHANGED =
  "The server cannot write to DATA_DIR now, so the new secret would stop working at a restart. Nothing was changed. The server's log says what is wrong.";

/** The error of a request for a secret that a restart would make useless. */
export function unkeptFault(): Fault {
  return new Fault("keys_unavailable", { message: NOTHING_CHANGED, retryAfterS: REWRITE_AFTER_S });
}

/**
 * Makes changes of keys that count on all servers of a cluster once they are made. A change is written only on top of the
 * entry from which it was worked out; after that of another server, it is worked out again.
 *
 * All methods reject as those of `KeyBook` throw, and with `keys_unavailable` while the shared keys cannot be written, and
 * `key_conflict` if other servers keep changing the same key.
 */
export class KeyWriter {
  readonly #options: KeyWriterOptions;
  /** What the changes of one key that were asked for here wait for, by the key's id or the request's name. */
  readonly #turns = new Map<string, Promise<unknown>>();

  constructor(options: KeyWriterOptions) {
    this.#options = options;
  }

  create(spec: KeySpec, request: ChangeRequest): Promise<MadeKey> {
    const { drafts } = this.#options.book;
    const name = request.idempotencyKey;
    return this.#make(name === undefined ? undefined : `${request.by} ${name}`, () => drafts.create(spec, request));
  }

  update(id: string, patch: KeyPatch): Promise<KeyEntry> {
    return this.#change(id, (drafts) => drafts.update(id, patch));
  }

  revoke(id: string, request: ChangeRequest): Promise<KeyEntry> {
    return this.#change(id, (drafts) => drafts.revoke(id, request));
  }

  rotate(id: string, overlapMs: number, request: ChangeRequest): Promise<MadeKey> {
    return this.#make(id, () => this.#options.book.drafts.rotate(id, overlapMs, request));
  }

  /**
   * Counts the use of a join token, or binds a worker's key to its worker. `plan` gets the current entry, again after a change
   * of another server, and rejects a use by throwing a fault: so the last use of a token is given to one server only.
   */
  amend(id: string, plan: (entry: KeyEntry) => KeyUse): Promise<KeyEntry> {
    return this.#change(id, (drafts) => drafts.amend(id, plan));
  }

  async #change(id: string, plan: (drafts: KeyBook["drafts"]) => KeyDraft): Promise<KeyEntry> {
    const { book } = this.#options;
    return this.#carryOut(
      id,
      () => plan(book.drafts),
      (draft) => book.commit(draft),
    );
  }

  async #make(turn: string | undefined, plan: () => SecretDraft): Promise<MadeKey> {
    return this.#carryOut(turn, plan, (draft) => {
      this.#assertWritten(draft);
      return this.#options.book.commitSecret(draft);
    });
  }

  /**
   * Throws `keys_unavailable` for a secret that cannot be written. It does not count then: the first key of its kind would shut
   * a door for everybody. The request can be sent again, also with its Idempotency-Key.
   */
  #assertWritten({ entry, isRepeat }: SecretDraft): void {
    const { book, isFailing, shared } = this.#options;
    if (isRepeat || areShared(shared) || !isFailing) return;
    book.write(entry);
    if (!isFailing()) return;
    book.unwrite(entry.id);
    throw unkeptFault();
  }

  /** Commits a draft that the shared keys have. */
  async #carryOut<T extends KeyDraft, R>(turn: string | undefined, plan: () => T, commit: (draft: T) => R): Promise<R> {
    const { shared } = this.#options;
    if (!shared) return commit(plan());
    return this.#inTurn(turn, async () => {
      for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt += 1) {
        const draft = plan();
        const outcome = draft.entry === draft.before ? "written" : await shared.write(draft.entry);
        if (outcome === "written") return commit(draft);
        if (outcome === "away") throw new Fault("keys_unavailable", { retryAfterS: RETRY_AFTER_S });
        if (outcome === "unknown")
          throw new Fault("keys_unavailable", { message: UNKNOWN, retryAfterS: RETRY_AFTER_S });
        await this.#pause(Math.random() * PAUSE_MS * attempt);
      }
      throw new Fault("key_conflict", { retryAfterS: 1 });
    });
  }

  async #inTurn<T>(turn: string | undefined, run: () => Promise<T>): Promise<T> {
    if (turn === undefined) return run();
    const own = runAfter(this.#turns.get(turn), run);
    this.#turns.set(turn, own);
    try {
      return await own;
    } finally {
      if (this.#turns.get(turn) === own) this.#turns.delete(turn);
    }
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#options.clock.after(ms, resolve));
  }
}

async function runAfter<T>(before: Promise<unknown> | undefined, run: () => Promise<T>): Promise<T> {
  await before?.catch(() => {}); // The request for that change gets its error.
  return run();
}
