/** The workers of one key, which share its slots. */
interface Sharers {
  /** The slots that they have together. */
  taken: number;
  /** By their ids, the newest session of each. */
  readonly byWorker: Map<string, SlotShare>;
}

/**
 * Divides the slots of each key that is bound to one worker among the sessions that come with it. The first one gets what
 * it asks for, and a session that ends leaves its slots to the others. An earlier session of a worker that has come back counts no
 * longer.
 */
export class SlotShares {
  readonly #byOwner = new Map<string, Sharers>();

  /** Adds a session of an owner's worker. `onMore` is called when there may be more slots for it than it has got. */
  join(owner: string, workerId: string, onMore: () => void): SlotShare {
    const sharers = this.#byOwner.get(owner) ?? { taken: 0, byWorker: new Map<string, SlotShare>() };
    this.#byOwner.set(owner, sharers);
    sharers.byWorker.get(workerId)?.release();
    const share = new SlotShare(sharers, onMore, () => {
      if (sharers.byWorker.get(workerId) === share) sharers.byWorker.delete(workerId);
      if (sharers.byWorker.size === 0 && this.#byOwner.get(owner) === sharers) this.#byOwner.delete(owner);
    });
    sharers.byWorker.set(workerId, share);
    return share;
  }
}

/** The share of one session. */
export class SlotShare {
  readonly #sharers: Sharers;
  readonly #onMore: () => void;
  readonly #onLeft: () => void;
  #wanted = 0;
  #granted = 0;
  /** Whether a later session of the same worker counts in its place, or it has ended. */
  #isReleased = false;

  constructor(sharers: Sharers, onMore: () => void, onLeft: () => void) {
    this.#sharers = sharers;
    this.#onMore = onMore;
    this.#onLeft = onLeft;
  }

  /** Returns how many of the slots that the session wants it may have, if all have at most `max` together. */
  take(wanted: number, max: number): number {
    if (this.#isReleased) return Math.min(wanted, max);
    const before = this.#granted;
    this.#wanted = wanted;
    this.#granted = Math.max(0, Math.min(wanted, max - (this.#sharers.taken - before)));
    this.#sharers.taken += this.#granted - before;
    if (this.#granted < before) this.#tellOthers();
    return this.#granted;
  }

  /** Stops counting the session. */
  release(): void {
    if (this.#isReleased) return;
    this.take(0, 0);
    this.#isReleased = true;
  }

  /** The session has ended. */
  leave(): void {
    this.release();
    this.#onLeft();
  }

  /** Tells the others a turn later, because this session's own offer is not changed yet. */
  #tellOthers(): void {
    queueMicrotask(() => {
      for (const other of [...this.#sharers.byWorker.values()]) if (other.#granted < other.#wanted) other.#onMore();
    });
  }
}
