import type { IdHolder } from "./id-search.ts";
import type { Claimant } from "./owners.ts";
import type { HeldSession, SessionWatch } from "./session-watch.ts";
import type { WorkerSession } from "./worker-session.ts";

/** A session, as the roster keeps it. */
class Entry implements HeldSession {
  readonly session: WorkerSession;
  readonly claimant: Claimant;
  readonly #onLeaving: (entry: Entry) => void;
  isLeaving = false;

  constructor(session: WorkerSession, claimant: Claimant, onLeaving: (entry: Entry) => void) {
    this.session = session;
    this.claimant = claimant;
    this.#onLeaving = onLeaving;
  }

  get canMove(): boolean {
    return this.session.canMove;
  }

  ping(): void {
    this.session.ping();
  }

  handOver(reason: string): void {
    this.session.sendHandover(reason, 0);
    this.#onLeaving(this);
  }

  drain(reason: string): void {
    this.session.sendDrain(reason, 0);
  }
}

/** The sessions of one endpoint. Reports the opening and the end of each to the watch. */
export class Roster {
  readonly #watch: SessionWatch | undefined;
  readonly #entries = new Map<WorkerSession, Entry>();
  /** The newest session of each worker id. */
  readonly #byWorker = new Map<string, WorkerSession>();
  readonly #onLeaving = (entry: Entry): void => {
    if (entry.isLeaving) return;
    entry.isLeaving = true;
    this.#watch?.onLeaving(entry);
  };

  constructor(watch: SessionWatch | undefined) {
    this.#watch = watch;
  }

  /** Returns the worker that has an id, on this server or on another one. */
  holderOf(workerId: string): IdHolder | undefined {
    return this.#byWorker.get(workerId) ?? this.#watch?.holderOf(workerId);
  }

  /** Returns a copy, so that the caller may close the sessions. */
  all(): readonly WorkerSession[] {
    return [...this.#entries.keys()];
  }

  /**
   * Adds a session that the pool was not told of yet. If its worker was told to leave and came back to this server, the older
   * session ends with its last job.
   */
  add(session: WorkerSession, claimant: Claimant): void {
    const before = this.#byWorker.get(session.worker.id);
    const entryBefore = before && this.#entries.get(before);
    this.#entries.set(session, new Entry(session, claimant, this.#onLeaving));
    this.#byWorker.set(session.worker.id, session);
    if (entryBefore?.isLeaving) entryBefore.drain("the worker has connected again");
  }

  /** MUST be called after `add`, when the pool was told of the session. */
  opened(session: WorkerSession): void {
    const entry = this.#entries.get(session);
    if (entry) this.#watch?.onOpened(entry);
  }

  /** Removes an ended session that the pool was told of. */
  remove(session: WorkerSession): void {
    const entry = this.#entries.get(session);
    this.#entries.delete(session);
    // A newer session may have taken over the id.
    if (this.#byWorker.get(session.worker.id) === session) this.#byWorker.delete(session.worker.id);
    if (entry) this.#watch?.onClosed(entry);
  }

  /** Calls `tell` with each worker that must connect to another server. */
  leave(tell: (session: WorkerSession) => void): void {
    for (const [session, entry] of this.#entries) {
      tell(session);
      this.#onLeaving(entry);
    }
  }

  /** Lists the sessions of workers that came with this owner's key. */
  of(owner: string): readonly WorkerSession[] {
    return this.all().filter((session) => this.#entries.get(session)?.claimant.owner === owner);
  }

  /** Lists the sessions whose owner the server no longer has. */
  disowned(isOwner: (owner: string) => boolean): readonly WorkerSession[] {
    return this.all().filter((session) => !isOwner(this.#entries.get(session)?.claimant.owner ?? ""));
  }
}
