import type { RemoteWorkers, WorkerAccess } from "../../plugin/cluster.ts";
import type { Clock } from "../../system/deps.ts";
import { setNewest } from "../../system/newest.ts";
import type { WorkerRow } from "../gossip/rows.ts";
import { SmallSets } from "../ids/small-sets.ts";
import type { PeerSight } from "./peer-group.ts";

/** The most workers that are remembered after they have left. */
const MAX_LEFT = 10_000;

/** A worker that is connected to a peer. */
export interface PeerWorker {
  readonly peer: PeerSight;
  readonly row: WorkerRow;
}

/** The workers of one plugin that are connected to peers. */
export class PeerWorkers implements RemoteWorkers {
  readonly #clock: Clock;
  readonly #byId = new SmallSets<PeerWorker>();
  readonly #bySession = new Map<string, PeerWorker>();
  /** When each left the last peer (`Clock.elapsed`), in that order. */
  readonly #left = new Map<string, number>();
  /** How many workers each peer has, by its id, without those that were told to leave it. */
  readonly #counts = new Map<string, number>();
  readonly #listeners: ((workerId: string) => void)[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#bySession.size;
  }

  ofSession(sessionId: string): PeerWorker | undefined {
    return this.#bySession.get(sessionId);
  }

  /** Finds a worker. Of several sessions it returns the newest whose worker was not told to leave. */
  find(workerId: string): PeerWorker | undefined {
    let found: PeerWorker | undefined;
    for (const each of this.#byId.of(workerId)) if (!found || isBetter(each.row, found.row)) found = each;
    return found;
  }

  serverOf(workerId: string): string | undefined {
    return this.find(workerId)?.peer.id;
  }

  accessOf(workerId: string): WorkerAccess | undefined {
    return this.find(workerId)?.row.access;
  }

  get hasAccess(): boolean {
    for (const { row } of this.#bySession.values()) if (row.access) return true;
    return false;
  }

  leftAgoMs(workerId: string): number | undefined {
    const leftAt = this.#left.get(workerId);
    return leftAt === undefined ? undefined : this.#clock.elapsed() - leftAt;
  }

  onMoved(listener: (workerId: string) => void): void {
    this.#listeners.push(listener);
  }

  /** Counts the workers that are connected to a peer and were not told to leave it. */
  countAt(peerId: string): number {
    return this.#counts.get(peerId) ?? 0;
  }

  add(worker: PeerWorker): void {
    const { id, session } = worker.row;
    this.#count(worker, 1);
    this.#byId.add(id, worker);
    this.#bySession.set(session, worker);
    this.#left.delete(id);
    this.#moved(id);
  }

  remove(worker: PeerWorker): void {
    const { id, session } = worker.row;
    if (!this.#byId.remove(id, worker)) return;
    this.#count(worker, -1);
    if (this.#bySession.get(session) === worker) this.#bySession.delete(session);
    if (this.#byId.of(id).length === 0) setNewest(this.#left, id, this.#clock.elapsed(), MAX_LEFT);
    this.#moved(id);
  }

  #count({ peer, row }: PeerWorker, by: number): void {
    if (row.isLeaving) return;
    const count = this.countAt(peer.id) + by;
    if (count > 0) this.#counts.set(peer.id, count);
    else this.#counts.delete(peer.id);
  }

  #moved(workerId: string): void {
    for (const listener of this.#listeners) listener(workerId);
  }
}

function isBetter(a: WorkerRow, b: WorkerRow): boolean {
  if (a.isLeaving !== b.isLeaving) return b.isLeaving;
  return a.at > b.at || (a.at === b.at && a.session > b.session);
}
