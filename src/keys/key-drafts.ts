import { Fault } from "../errors.ts";
import type { Clock } from "../system/deps.ts";
import { type Asked, KeyAnswers } from "./key-answers.ts";
import { type Change, newEntry, patched, revisionAfter, revoked, rotated } from "./key-changes.ts";
import type { KeyEntry, KeyKind, KeySecret } from "./key-entry.ts";
import type { KeyPatch, KeySpec } from "./key-spec.ts";
import {
  createKeyId,
  createKeyText,
  hintOf,
  type KeyPrefix,
  keyHash,
  keyIdOfDigest,
  type RandomBytes,
} from "./key-text.ts";

/** Who makes a change, and the name that the request gives itself so that a repetition of it changes nothing more. */
export interface ChangeRequest {
  /** The name of the caller. */
  readonly by: string;
  /** The header `Idempotency-Key`; undefined for a request that may be carried out again. */
  readonly idempotencyKey?: string | undefined;
}

/** What a join token or a worker's key says of its use. */
export type KeyUse = Pick<Partial<KeyEntry>, "uses" | "trades" | "workerId">;

/** A change that has been worked out and not been made. It changes nothing if `entry` is `before`. */
export interface KeyDraft {
  readonly kind: "created" | "changed" | "rotated" | "revoked";
  readonly entry: KeyEntry;
  /** Undefined for a new key. */
  readonly before: KeyEntry | undefined;
}

/** The draft of a key or of another secret, with its text. */
export interface SecretDraft extends KeyDraft {
  readonly text: string;
  /** Whether an earlier request of the same name has made it. */
  readonly isRepeat: boolean;
}

export interface KeyDraftsOptions {
  /** Returns the current entry of a key. */
  readonly find: (id: string) => KeyEntry | undefined;
  /** Makes room for one more key, or throws `invalid_request`. */
  readonly makeRoom: () => void;
  readonly clock: Clock;
  readonly random: RandomBytes;
}

/**
 * Works out what changes of keys lead to, by the entries of the moment. It makes no change, so that a change which another
 * server prevents can be worked out again.
 *
 * All methods throw `key_not_found` for an id that nobody has, and `invalid_request` for a change that this key does not
 * allow.
 */
export class KeyDrafts {
  readonly #options: KeyDraftsOptions;
  readonly #answers: KeyAnswers;
  /** The ids of the keys that a named request has made or rotated, by its operation. */
  readonly #byOperation = new Map<string, string>();

  constructor(options: KeyDraftsOptions) {
    this.#options = options;
    this.#answers = new KeyAnswers(options.clock);
  }

  /**
   * The draft of a new key. A named request gets the same id on every server, so two servers that carry it out at the same
   * time make one key. Throws `key_already_shown` for a repetition of a request whose answer is not known here any more.
   */
  create(spec: KeySpec, request: ChangeRequest): SecretDraft {
    const operation = operationOf("create", request);
    const { expiresAt, ...terms } = spec.terms;
    const wanted: Asked = { what: JSON.stringify({ ...spec, terms }), expiresAt };
    const repeat = this.#repeat("created", operation, wanted);
    if (repeat) return repeat;
    this.#options.makeRoom();
    const id = this.#newId(operation);
    const change = this.#change(request);
    const { secret, text } = this.#secret(spec.kind, id, operation, wanted, change);
    const entry = newEntry(id, spec, secret, change);
    if (operation !== undefined) this.#answers.keep(operation, { text, asked: wanted });
    return { kind: "created", entry, before: undefined, text, isRepeat: false };
  }

  /** Returns the text that was made when a named request created this key; undefined if it is not remembered, or not valid any more. */
  textOf({ secret }: KeyEntry, request: ChangeRequest): string | undefined {
    const operation = operationOf("create", request);
    const text = operation === undefined ? undefined : this.#answers.find(operation)?.text;
    return text !== undefined && keyHash(text) === secret.hash ? text : undefined;
  }

  update(id: string, patch: KeyPatch): KeyDraft {
    const before = this.#find(id);
    return { kind: "changed", entry: patched(before, patch), before };
  }

  revoke(id: string, request: ChangeRequest): KeyDraft {
    const before = this.#find(id);
    return { kind: "revoked", entry: revoked(before, this.#change(request)), before };
  }

  /** Repetitions are as for `create`. */
  rotate(id: string, overlapMs: number, request: ChangeRequest): SecretDraft {
    const before = this.#find(id);
    const operation = operationOf(`rotate ${id}`, request);
    const wanted: Asked = { what: String(overlapMs) };
    const repeat = this.#repeat("rotated", operation, wanted);
    if (repeat) return repeat;
    const change = this.#change(request);
    const { secret, text } = this.#secret(before.kind, id, operation, wanted, change);
    const entry = rotated(before, secret, overlapMs, change);
    if (operation !== undefined) this.#answers.keep(operation, { text, asked: wanted });
    return { kind: "rotated", entry, before, text, isRepeat: false };
  }

  /** `plan` gets the current entry, and may throw a fault. */
  amend(id: string, plan: (entry: KeyEntry) => KeyUse): KeyDraft {
    const before = this.#find(id);
    return { kind: "changed", entry: { ...before, ...plan(before), revision: revisionAfter(before.revision) }, before };
  }

  /** Remembers which requests have made the secrets of an entry. */
  remember(entry: KeyEntry): void {
    for (const operation of operationsOf(entry)) this.#byOperation.set(operation, entry.id);
  }

  forget(entry: KeyEntry): void {
    for (const operation of operationsOf(entry)) this.#byOperation.delete(operation);
  }

  #find(id: string): KeyEntry {
    const entry = this.#options.find(id);
    if (entry) return entry;
    throw new Fault("key_not_found");
  }

  #newId(operation: string | undefined): string {
    const { random, find } = this.#options;
    const named = operation === undefined ? undefined : keyIdOfDigest(operation);
    if (named !== undefined && !find(named)) return named;
    let id = createKeyId(random);
    while (find(id)) id = createKeyId(random);
    return id;
  }

  #change({ by }: ChangeRequest): Change {
    return { now: this.#options.clock.now(), by };
  }

  /** Makes a secret. One that was made for the same request before, and perhaps not kept, is used again. */
  #secret(kind: KeyKind, id: string, operation: string | undefined, asked: Asked, { now }: Change) {
    const prefix: KeyPrefix = kind === "join" ? "mj" : "mk";
    const made = operation === undefined ? undefined : this.#answers.find(operation);
    if (operation !== undefined && made) this.#assertSame(operation, asked);
    const text = made?.text ?? createKeyText(prefix, id, this.#options.random);
    const secret: KeySecret = {
      hash: keyHash(text),
      hint: hintOf({ prefix, id }),
      madeAt: now,
      ...(operation !== undefined && { operation }),
    };
    return { secret, text };
  }

  #repeat(kind: "created" | "rotated", operation: string | undefined, asked: Asked): SecretDraft | undefined {
    const id = operation === undefined ? undefined : this.#byOperation.get(operation);
    const entry = id === undefined ? undefined : this.#options.find(id);
    if (operation === undefined || !entry) return undefined;
    const answer = this.#answers.find(operation);
    // The text may also be that of an attempt which another server was faster to carry out.
    const isKnown = answer && [entry.secret, ...entry.former].some(({ hash }) => hash === keyHash(answer.text));
    if (!isKnown) throw new Fault("key_already_shown");
    this.#assertSame(operation, asked);
    return { kind, entry, before: entry, text: answer.text, isRepeat: true };
  }

  #assertSame(operation: string, asked: Asked): void {
    if (this.#answers.isFor(operation, asked)) return;
    const message = "This Idempotency-Key was used for another request. Use a new one for each request.";
    throw new Fault("invalid_request", { message });
  }
}

function operationsOf({ secret, former }: KeyEntry): readonly string[] {
  return [secret, ...former].flatMap(({ operation }) => operation ?? []);
}

/** Identifies a named request by a digest, because its name may be anything. Names of two callers do not meet. */
function operationOf(what: string, { by, idempotencyKey }: ChangeRequest): string | undefined {
  return idempotencyKey === undefined ? undefined : keyHash(JSON.stringify([what, by, idempotencyKey]));
}
