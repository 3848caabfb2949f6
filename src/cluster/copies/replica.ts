import type { Clock } from "../../system/deps.ts";
import type { Ends, GroupRow, LoadRow, ModelRow, Rows, WorkerRow } from "../gossip/rows.ts";
import type { IdFact } from "../ids/id-facts.ts";
import { LeftIds } from "../ids/left-ids.ts";
import type { WorkerIds } from "../ids/worker-ids.ts";
import { PeerGroup, type PeerSight } from "./peer-group.ts";
import type { PeerWorker, PeerWorkers } from "./peer-workers.ts";
import type { RemoteDirectory } from "./remote-directory.ts";

/** The most workers, groups and models that one peer may have. Further ones are ignored. */
const MAX_ENTRIES = 50_000;

/** What the copies of all peers have an effect on. */
export interface ReplicaHost {
  readonly clock: Clock;
  readonly ids: WorkerIds;
  /** Returns the workers of a plugin that are connected to peers. */
  workersOf(pluginId: string): PeerWorkers;
  /** Returns the directory of a plugin; undefined for one that has none here. */
  directoryOf(pluginId: string): RemoteDirectory | undefined;
  /** Closes sessions of this server whose id belongs to another one's worker now. */
  judge(pluginId: string, workerId: string): void;
}

/** A worker of the peer, which is also a fact about its id: there are thousands, so it is one object. */
class CopiedWorker implements PeerWorker, IdFact {
  readonly peer: PeerSight;
  readonly row: WorkerRow;

  constructor(peer: PeerSight, row: WorkerRow) {
    this.peer = peer;
    this.row = row;
  }

  get server(): string {
    return this.peer.id;
  }

  get id(): string {
    return this.row.id;
  }

  get session(): string {
    return this.row.session;
  }

  get owner(): string {
    return this.row.owner;
  }

  get was(): string | undefined {
    return this.row.was;
  }

  get since(): number {
    return this.row.since;
  }

  get at(): number {
    return this.row.at;
  }

  get isLeaving(): boolean {
    return this.row.isLeaving;
  }
}

/**
 * The copy of what one peer has. While the peer is there, the copy is part of the directories. While it is gone, only the
 * owners of its workers' ids count.
 */
export class Replica {
  readonly #host: ReplicaHost;
  readonly #peer: PeerSight;
  readonly #workers = new Map<string, CopiedWorker>();
  readonly #groups = new Map<number, PeerGroup>();
  /** How many groups each model has. */
  readonly #groupCounts = new Map<string, number>();
  readonly #models = new Map<string, ModelRow>();
  /** Owners of the ids of workers that have left the peer, by plugin; and of all its workers, since it is gone itself. */
  readonly #left = new Map<string, LeftIds>();
  readonly #orphans = new Map<string, LeftIds>();
  #isAttached = false;

  constructor(peer: PeerSight, host: ReplicaHost) {
    this.#peer = peer;
    this.#host = host;
  }

  get isAttached(): boolean {
    return this.#isAttached;
  }

  get size(): number {
    return this.#workers.size;
  }

  /** Takes in a delta. */
  apply(rows: Rows & Ends): void {
    for (const row of rows.groups) this.#setGroup(row);
    for (const row of rows.workers) this.#setWorker(row);
    for (const row of rows.load) this.#setLoad(row);
    for (const row of rows.models) this.#setModel(row);
    this.#setLeft(rows.left);
    for (const session of rows.closed) this.#dropWorker(session);
    for (const number of rows.ended) this.#dropGroup(number);
    for (const { plugin, id } of rows.workers) this.#judge(plugin, id);
    for (const { plugin, id } of rows.left) this.#judge(plugin, id);
  }

  /** Takes in a snapshot: what it does not contain is gone. Groups that stay keep their counts of jobs on the way. */
  replace(rows: Rows): void {
    const sessions = new Set(rows.workers.map(({ session }) => session));
    const numbers = new Set(rows.groups.map(({ number }) => number));
    const models = new Set(rows.models.map(keyOfModel));
    const closed = [...this.#workers.keys()].filter((session) => !sessions.has(session));
    const ended = [...this.#groups.keys()].filter((number) => !numbers.has(number));
    for (const left of this.#left.values()) left.clear();
    for (const [key, row] of this.#models) if (!models.has(key)) this.#dropModel(row);
    this.apply({ ...rows, closed, ended });
  }

  /** Adds the copy to the directories: the peer is there. */
  attach(): void {
    if (this.#isAttached) return;
    this.#isAttached = true;
    for (const orphans of this.#orphans.values()) orphans.clear();
    for (const group of this.#groups.values()) this.#host.directoryOf(group.row.plugin)?.add(group);
    for (const row of this.#models.values()) this.#host.directoryOf(row.plugin)?.addRow(row, this.#peer.id);
    for (const worker of this.#workers.values()) this.#addWorker(worker);
    for (const { row } of this.#workers.values()) this.#judge(row.plugin, row.id);
  }

  /** Takes the copy out of the directories. The owners of ids stay for a while. */
  detach(): void {
    if (!this.#isAttached) return;
    this.#isAttached = false;
    for (const worker of this.#workers.values()) {
      this.#removeWorker(worker);
      this.#leftIn(this.#orphans, worker.row.plugin).add(worker);
    }
    for (const group of this.#groups.values()) this.#host.directoryOf(group.row.plugin)?.remove(group);
    for (const row of this.#models.values()) this.#host.directoryOf(row.plugin)?.removeRow(row);
  }

  /** Forgets all but the owners of ids. */
  clear(): void {
    this.detach();
    this.#workers.clear();
    this.#groups.clear();
    this.#groupCounts.clear();
    this.#models.clear();
  }

  /** Forgets owners that were remembered for long enough. Returns whether nothing is remembered at all. */
  prune(): boolean {
    let count = this.#workers.size;
    for (const left of [...this.#left.values(), ...this.#orphans.values()]) {
      left.prune();
      count += left.size;
    }
    return count === 0;
  }

  /** Notes that the peer takes jobs now, or takes none. */
  changed(): void {
    for (const { row } of this.#groups.values()) this.#host.directoryOf(row.plugin)?.changed();
  }

  #setWorker(row: WorkerRow): void {
    const { session, id } = row;
    const known = this.#workers.get(session);
    if (!known && this.#workers.size >= MAX_ENTRIES) return;
    const worker = new CopiedWorker(this.#peer, row);
    this.#workers.set(session, worker);
    this.#left.get(row.plugin)?.remove(id);
    if (!this.#isAttached) return;
    // The new one is added before the old one is removed, so that the change does not look as if the worker had left.
    this.#addWorker(worker);
    if (known) this.#removeWorker(known);
  }

  #dropWorker(session: string): void {
    const worker = this.#workers.get(session);
    if (!worker) return;
    this.#workers.delete(session);
    if (this.#isAttached) this.#removeWorker(worker);
  }

  #addWorker(worker: CopiedWorker): void {
    const { plugin } = worker.row;
    this.#host.ids.of(plugin).add(worker);
    this.#host.workersOf(plugin).add(worker);
  }

  #removeWorker(worker: CopiedWorker): void {
    const { plugin } = worker.row;
    this.#host.ids.of(plugin).remove(worker);
    this.#host.workersOf(plugin).remove(worker);
  }

  #setGroup(row: GroupRow): void {
    if (this.#groups.has(row.number) || this.#groups.size >= MAX_ENTRIES) return;
    const group = new PeerGroup(this.#peer, row);
    this.#groups.set(row.number, group);
    const key = `${row.plugin} ${row.model}`;
    this.#groupCounts.set(key, (this.#groupCounts.get(key) ?? 0) + 1);
    if (this.#isAttached) this.#host.directoryOf(row.plugin)?.add(group);
  }

  #dropGroup(number: number): void {
    const group = this.#groups.get(number);
    if (!group) return;
    this.#groups.delete(number);
    const { plugin, model } = group.row;
    if (this.#isAttached) this.#host.directoryOf(plugin)?.remove(group);
    const key = `${plugin} ${model}`;
    const count = (this.#groupCounts.get(key) ?? 0) - 1;
    if (count > 0) {
      this.#groupCounts.set(key, count);
      return;
    }
    this.#groupCounts.delete(key);
    const row = this.#models.get(key);
    if (row) this.#dropModel(row);
  }

  #setLoad(row: LoadRow): void {
    const group = this.#groups.get(row[0]);
    if (!group) return;
    const wereReady = group.slots > 0;
    const workers = group.workers;
    group.update(row, this.#host.clock.elapsed());
    if (wereReady !== group.slots > 0 || workers !== group.workers) this.#host.directoryOf(group.row.plugin)?.changed();
  }

  #setModel(row: ModelRow): void {
    const key = keyOfModel(row);
    const before = this.#models.get(key);
    if (!before && this.#models.size >= MAX_ENTRIES) return;
    this.#models.set(key, row);
    if (!this.#isAttached) return;
    const directory = this.#host.directoryOf(row.plugin);
    if (before) directory?.removeRow(before);
    directory?.addRow(row, this.#peer.id);
  }

  #dropModel(row: ModelRow): void {
    this.#models.delete(keyOfModel(row));
    if (this.#isAttached) this.#host.directoryOf(row.plugin)?.removeRow(row);
  }

  #setLeft(rows: Rows["left"]): void {
    const server = this.#peer.id;
    for (const { plugin, id, owner, since, was, ageMs } of rows)
      this.#leftIn(this.#left, plugin).add({ server, id, owner, since, was }, ageMs);
  }

  #judge(plugin: string, id: string): void {
    if (this.#isAttached) this.#host.judge(plugin, id);
  }

  #leftIn(byPlugin: Map<string, LeftIds>, plugin: string): LeftIds {
    const known = byPlugin.get(plugin);
    if (known) return known;
    const left = new LeftIds(this.#host.clock, this.#host.ids.of(plugin));
    byPlugin.set(plugin, left);
    return left;
  }
}

function keyOfModel({ plugin, info }: ModelRow): string {
  return `${plugin} ${info.id}`;
}
