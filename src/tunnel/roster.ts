import type { IdHolder } from "./id-search.ts";
import type { Claimant } from "./owners.ts";
import type { HeldSession, SessionWatch } from "./session-watch.ts";
import type { WorkerSession } from "./worker-session.ts";

/** A session, as the roster keeps it. */
interface Entry extends HeldSession {
  readonly session: WorkerSession;
  isLeaving: boolean;
}

/** The sessions of one endpoint. Reports the opening and the end of each to the watch. */
export class Roster {
  readonly #watch: SessionWatch | undefined;
  readonly #entries = new Map<WorkerSession, Entry>();
  /** The newest session of each worker id. */
  readonly #byWorker = new Map<string, WorkerSession>();

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

  add(session: WorkerSession, claimant: Claimant): void {
    this.#entries.set(session, { session, claimant, isLeaving: false, ping: () => session.ping() });
    this.#byWorker.set(session.worker.id, session);
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
      if (entry.isLeaving) continue;
      entry.isLeaving = true;
      this.#watch?.onLeaving(entry);
    }
  }

  /** Lists the sessions whose owner the server no longer has. */
  disowned(isOwner: (owner: string) => boolean): readonly WorkerSession[] {
    return this.all().filter((session) => !isOwner(this.#entries.get(session)?.claimant.owner ?? ""));
  }
}
