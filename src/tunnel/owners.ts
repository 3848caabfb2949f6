import type { Clock } from "../system/deps.ts";

/** How long an id still belongs to its owner after its last session ended (docs/protocol.md, "Registration"). */
const KEEP_MS = 90 * 24 * 60 * 60_000;
/**
 * The most ids of absent workers that are remembered for one owner. Since each owner has its own, nobody can push out the
 * ids of another by registering many.
 */
const MAX_ABSENT = 10_000;

/** An id and its owner, as they are kept beyond the life of the process. */
export interface OwnedId {
  readonly id: string;
  readonly owner: string;
  /** Whether the server made the id for a worker that named none. */
  readonly isMade: boolean;
  /** The time, in milliseconds since 1970, at which its last session ended; undefined while there is one. */
  readonly leftAt: number | undefined;
  /** Whether another server has recorded a session of it that has not ended. */
  readonly isElsewhere?: boolean;
}

/** Keeps the owners of ids beyond the life of the process. Methods MUST NOT throw if a write fails. */
export interface OwnerRecords {
  /** Returns all records, those that were left first at the front. Called once, before anything else. */
  load(): readonly OwnedId[];
  /** Adds a record or replaces the one with the same id. */
  save(owned: OwnedId): void;
  remove(id: string): void;
  /** Tells the listener of changes that other servers have made. Called once, after `load`. Absent without other servers. */
  watch?(listener: OwnerListener): void;
}

export interface OwnerListener {
  saved(owned: OwnedId): void;
  removed(id: string): void;
}

export interface IdOwnersOptions {
  readonly clock: Clock;
  /** Whether a key or role of the server still stands for this owner. */
  readonly isOwner: (owner: string) => boolean;
  /** Returns the owner to whom the ids of an owner belong now, if its key was replaced; the same owner unless given. */
  readonly heirOf?: ((owner: string) => string) | undefined;
  /** Nothing is kept unless given. */
  readonly records?: OwnerRecords | undefined;
  /** Called with an id for which another server has recorded another owner, while sessions here have the id. */
  readonly onLost?: (id: string) => void;
}

/** The owners that a worker has proved to be. */
export interface Claimant {
  readonly owner: string;
  /** The owner that it was before its key was replaced. */
  readonly previousOwner?: string | undefined;
}

interface Entry {
  readonly owner: string;
  readonly isMade: boolean;
  sessions: number;
  leftAt: number | undefined;
}

/** The ids of an owner's absent workers, in the order of leaving. */
interface Absent {
  readonly made: Set<string>;
  readonly chosen: Set<string>;
}

/**
 * Remembers which key or role each worker id belongs to. An id changes hands only if the new owner also proves to be the old
 * one or has inherited its ids, if no key or role stands for the old one or its heir any more, or if the id was forgotten: 90 days after its last session, or
 * earlier for an owner with more than 10,000 absent workers. Ids that the server made are then forgotten first.
 */
export class IdOwners {
  readonly #options: IdOwnersOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #absent = new Map<string, Absent>();

  constructor(options: IdOwnersOptions) {
    this.#options = options;
    const now = options.clock.now();
    for (const { id, owner, isMade, leftAt, isElsewhere = false } of options.records?.load() ?? []) {
      if (isElsewhere) {
        this.#entries.set(id, { owner, isMade, sessions: 0, leftAt });
        continue;
      }
      // A worker that was connected when the last process ended left at that moment, which was not recorded.
      this.#entries.set(id, { owner, isMade, sessions: 0, leftAt: leftAt ?? now });
      this.#leave(id, owner, isMade);
      if (leftAt === undefined) this.#save(id);
    }
    for (const owner of [...this.#absent.keys()]) this.#trim(owner);
    options.records?.watch?.({
      saved: (owned) => this.#follow(owned),
      removed: (id) => this.#followRemoval(id),
    });
  }

  /** Whether a worker with this id is connected, or its owner is remembered. */
  has(id: string): boolean {
    return this.#find(id) !== undefined;
  }

  /** Returns whether the claimant could claim the id now. */
  mayClaim(id: string, { owner, previousOwner }: Claimant): boolean {
    const { heirOf, isOwner } = this.#options;
    const entry = this.#find(id);
    if (!entry || entry.owner === owner || entry.owner === previousOwner) return true;
    const heir = heirOf?.(entry.owner) ?? entry.owner;
    return heir === owner || heir === previousOwner || !isOwner(heir);
  }

  /**
   * Returns whether the claimant may use the id, which then belongs to it. Each true must be followed by one `release`.
   * `isMade`: the server has just made the id.
   */
  claim(id: string, claimant: Claimant, isMade = false): boolean {
    if (!this.mayClaim(id, claimant)) return false;
    const { owner } = claimant;
    const entry = this.#find(id);
    if (entry?.owner === owner && entry.sessions > 0) {
      entry.sessions += 1;
      return true;
    }
    if (entry) this.#return(id, entry.owner);
    const sessions = (entry?.sessions ?? 0) + 1;
    this.#entries.set(id, { owner, isMade: entry?.isMade ?? isMade, sessions, leftAt: undefined });
    this.#save(id);
    return true;
  }

  release(id: string): void {
    const entry = this.#entries.get(id);
    if (!entry || entry.sessions === 0) return;
    entry.sessions -= 1;
    if (entry.sessions > 0) return;
    entry.leftAt = this.#options.clock.now();
    this.#leave(id, entry.owner, entry.isMade);
    this.#save(id);
    this.#trim(entry.owner);
  }

  /** Takes over what another server has recorded. */
  #follow({ id, owner, isMade, leftAt }: OwnedId): void {
    const entry = this.#entries.get(id);
    // Sessions here are newer than a record of the same owner.
    if (entry && entry.sessions > 0 && entry.owner === owner) return;
    if (entry) this.#return(id, entry.owner);
    this.#entries.set(id, { owner, isMade, sessions: 0, leftAt });
    // An id with sessions on another server is in use. That server records the end of the last one.
    if (leftAt !== undefined) this.#leave(id, owner, isMade);
    if (entry && entry.sessions > 0) this.#options.onLost?.(id);
  }

  #followRemoval(id: string): void {
    const entry = this.#entries.get(id);
    if (!entry || entry.sessions > 0) return;
    this.#entries.delete(id);
    this.#return(id, entry.owner);
  }

  #find(id: string): Entry | undefined {
    const entry = this.#entries.get(id);
    if (!entry || !this.#isOver(entry)) return entry;
    this.#forget(id, entry.owner);
    return undefined;
  }

  #isOver({ leftAt }: Entry): boolean {
    return leftAt !== undefined && this.#options.clock.now() - leftAt >= KEEP_MS;
  }

  #leave(id: string, owner: string, isMade: boolean): void {
    const absent = this.#absent.get(owner) ?? { made: new Set<string>(), chosen: new Set<string>() };
    this.#absent.set(owner, absent);
    (isMade ? absent.made : absent.chosen).add(id);
  }

  #return(id: string, owner: string): void {
    const absent = this.#absent.get(owner);
    if (!absent) return;
    absent.made.delete(id);
    absent.chosen.delete(id);
    if (absent.made.size + absent.chosen.size === 0) this.#absent.delete(owner);
  }

  /** Forgets an owner's ids that are too old or too many. */
  #trim(owner: string): void {
    const absent = this.#absent.get(owner);
    if (!absent) return;
    let surplus = absent.made.size + absent.chosen.size - MAX_ABSENT;
    for (const ids of [absent.made, absent.chosen]) {
      for (const id of ids) {
        const entry = this.#entries.get(id);
        if (surplus <= 0 && entry && !this.#isOver(entry)) break;
        this.#forget(id, owner);
        surplus -= 1;
      }
    }
  }

  #forget(id: string, owner: string): void {
    this.#entries.delete(id);
    this.#return(id, owner);
    this.#options.records?.remove(id);
  }

  #save(id: string): void {
    const entry = this.#entries.get(id);
    if (!entry) return;
    const { owner, isMade, leftAt } = entry;
    this.#options.records?.save({ id, owner, isMade, leftAt });
  }
}
