import { randomBytes } from "node:crypto";
import type { Log } from "../system/deps.ts";
import type { CloseName } from "../wire/closes.ts";
import { IdentityFault, type IdentityFile, isIdAlone, type KeptIdentity } from "./identity-file.ts";
import type { KeyFields, LinkKeys } from "./link-keys.ts";

export interface IdentityOptions {
  readonly file: IdentityFile;
  /** The base URL of the server, as `httpUrl` returns it. */
  readonly server: string;
  readonly joinToken: string | undefined;
  /** The operator's id; undefined: one is made. */
  readonly id: string | undefined;
  /** The ids of relays that the operator chose. */
  readonly otherIds: readonly string[];
  /** The key that the worker had before it joined, which proves its id; undefined for none. */
  readonly clientKey: string | undefined;
  readonly newId: () => string;
  readonly log: Log;
}

const REJOIN =
  "the server does not accept this worker's own key any more: an operator has revoked it, or the server has lost its data. Ask the operator for a join token, and start again with it as --join";

const NOT_TRADED =
  "the server has answered without a key for the join token: it may be older than 0.2, or keep no keys (DATA_DIR)";

const NOT_FINISHED = "the server has not answered the join token yet: start with the same token again, as --join";

/**
 * A worker's own identity at one server: it trades a join token for a key once, keeps that, and shows it from then on. All
 * links of the process share it. While the key is not there yet, one link is dialled at a time.
 */
export class WorkerIdentity {
  readonly #options: IdentityOptions;
  #kept: KeptIdentity;
  /** The link that trades the token now. */
  #holder: LinkKeys | undefined;
  #waiting: (() => void)[] = [];

  /**
   * Returns the identity that is kept, or begins one for the join token; undefined for a worker that has neither. Nothing is
   * sent before what it takes to repeat the trade was written. Throws an `IdentityFault`.
   */
  static open(options: IdentityOptions): WorkerIdentity | undefined {
    const { file, server, joinToken, id, newId, log } = options;
    if (joinToken === undefined) {
      const kept = keptWithoutToken(options, readQuietly(file, log));
      if (kept !== "not_finished") return kept && new WorkerIdentity(options, kept);
      log.warn("join.not_finished", { hint: NOT_FINISHED });
      return undefined;
    }
    const found = file.read();
    const kept = found?.find((each) => each.server === server);
    const tokenId = tokenIdOf(joinToken);
    const isSame = kept?.tokenId === tokenId && (id === undefined || id === kept.workerId);
    if (isSame) return new WorkerIdentity(options, kept);
    const next: KeptIdentity = {
      server,
      workerId: id ?? (kept && mayKeepId(kept, options) ? kept.workerId : newId()),
      tokenId,
      proof: randomBytes(24).toString("base64url"),
      // A token that was not traded, because it had expired for instance, leaves the key before it.
      former: kept?.credential ?? kept?.former,
    };
    // Another process of the same worker may have begun at the same moment, and both must be one worker.
    if (found === undefined && !file.create(next)) return WorkerIdentity.open(options);
    if (found !== undefined) file.write(next);
    return new WorkerIdentity(options, next);
  }

  private constructor(options: IdentityOptions, kept: KeptIdentity) {
    this.#options = options;
    this.#kept = kept;
  }

  get workerId(): string {
    return this.#kept.workerId;
  }

  /** Whether the server has made a key for this worker. */
  get hasJoined(): boolean {
    return this.#kept.credential !== undefined;
  }

  /** Returns what the links of one kind, or of one relay, show. */
  forLinks(): LinkKeys {
    const keys: LinkKeys = {
      turn: () => this.#turn(keys),
      fields: () => this.#fields(),
      handleRegistered: ({ credential }) => {
        if (this.hasJoined) return;
        if (credential === undefined) this.#options.log.warn("join.not_answered", { hint: NOT_TRADED });
        else this.#take(credential);
        this.#release(keys);
      },
      handleClosed: () => this.#release(keys),
      hint: (name) => this.#hint(name),
    };
    return keys;
  }

  #turn(keys: LinkKeys): Promise<void> | undefined {
    if (this.hasJoined || this.#holder === keys) return undefined;
    if (this.#holder === undefined) {
      this.#holder = keys;
      return undefined;
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #release(keys: LinkKeys): void {
    if (this.#holder !== keys) return;
    this.#holder = undefined;
    for (const proceed of this.#waiting.splice(0)) proceed();
  }

  #fields(): KeyFields {
    const { credential, proof, former } = this.#kept;
    const { joinToken, clientKey, otherIds } = this.#options;
    const previous = former ?? clientKey;
    const before = previous === undefined ? {} : { previous_client_key: previous };
    if (credential !== undefined) return { client_key: credential, ...before };
    return {
      join_token: joinToken,
      join_proof: proof,
      join_ids: [this.workerId, ...otherIds],
      ...before,
    };
  }

  #take(credential: string): void {
    const { file, log } = this.#options;
    const { server, workerId, tokenId, former } = this.#kept;
    // The ids of other links may still belong to the former key.
    this.#kept = { server, workerId, tokenId, credential, former };
    try {
      file.write(this.#kept);
      log.info("worker.joined", { worker: workerId, state_file: file.path });
    } catch (error) {
      if (!(error instanceof IdentityFault)) throw error;
      // The trade can be repeated with what was written before it, as long as this key was not used.
      log.error("worker.state_not_kept", { reason: error.message });
    }
  }

  #hint(name: CloseName | undefined): string | undefined {
    if (name === "replaced") return sharedHint(this.#options.file.path);
    const isRefused = name === "key_removed" || name === "unauthorized" || name === "too_many_wrong_keys";
    return isRefused && this.hasJoined ? REJOIN : undefined;
  }
}

/** Whether a worker that joins can prove that the id which it has kept is its own. */
function mayKeepId(kept: KeptIdentity, { clientKey }: IdentityOptions): boolean {
  return !isIdAlone(kept) || clientKey !== undefined;
}

/** A worker that has joined, with its key. */
export interface JoinedIdentity extends KeptIdentity {
  readonly credential: string;
}

/**
 * Returns the identity of a worker that has joined before and has no join token now; undefined if it has not joined. Throws an
 * `IdentityFault` if it has joined another server, or under another id, because it would come without its key.
 */
export function keptWithoutToken(
  { file, server, id }: Pick<IdentityOptions, "server" | "id"> & { readonly file: Pick<IdentityFile, "path"> },
  found: readonly KeptIdentity[] | undefined,
): JoinedIdentity | "not_finished" | undefined {
  const kept = found?.find((each) => each.server === server);
  if (kept !== undefined && isIdAlone(kept)) return undefined;
  if (kept === undefined) {
    const others = (found ?? []).filter((each) => !isIdAlone(each)).map((each) => each.server);
    if (others.length === 0) return undefined;
    throw new IdentityFault(
      `${file.path} has no key for ${server}: this worker has joined ${others.join(", ")}. Compare --server, start with a join token of that server as --join, or leave STATE_FILE out if the server needs no key of the worker's own.`,
    );
  }
  // A token that was refused leaves the key before it.
  const credential = kept.credential ?? kept.former;
  if (credential === undefined) return "not_finished";
  if (id === undefined || id === kept.workerId) return { ...kept, credential };
  throw new IdentityFault(
    `The key in ${file.path} is that of the worker ${kept.workerId}, and --id (CLIENT_ID) is ${id}. Leave --id out, start with a join token as --join to take the new id, or name another STATE_FILE.`,
  );
}

/** What to do about another worker with the same id. Both have the same state, because the id of a worker that joins is in it. */
function sharedHint(path: string): string {
  return `another worker has registered with this worker's key and id, so both use the same state, ${path}: give each worker on this machine an --id or a STATE_FILE of its own, and join each with a token. Of a copied machine, remove the copy's file first`;
}

/** Reads a file that a worker may not need. One that needs it is refused by the server, and the log says why. */
function readQuietly(file: IdentityFile, log: Log): readonly KeptIdentity[] | undefined {
  try {
    return file.read();
  } catch (error) {
    if (!(error instanceof IdentityFault)) throw error;
    log.warn("worker.state_unreadable", { reason: error.message });
    return undefined;
  }
}

/** Returns the public part of a join token. */
export function tokenIdOf(token: string): string {
  return /^mj_([0-9a-z]{12})_/.exec(token)?.[1] ?? "";
}
