import type { Needs } from "../pool/able.ts";
import { aliasKey } from "../pool/alias.ts";
import { NONE_EXCLUDED } from "../pool/excluded.ts";
import { Known } from "../pool/known.ts";
import type { RemoteChoice, RemoteModels, RemoteNeeds, RemoteSlot } from "../pool/remotes.ts";
import type { Clock } from "../system/deps.ts";
import type { ModelInfo } from "../wire/model-info.ts";
import type { PeerGroup } from "./peer-group.ts";
import type { PeerWorker, PeerWorkers } from "./peer-workers.ts";
import type { ModelRow } from "./rows.ts";

/** How long changes are gathered for `onOffers`, in milliseconds: a snapshot of a peer brings thousands. */
const GATHER_MS = 5;
/** The most models whose first sight is remembered. */
const MAX_FIRST_SEEN = 20_000;

/** How a job uses a slot of a peer, which the directory counts as held from `hold` on. */
export type SlotUse = RemoteSlot;

/** What a slot is wanted for. */
export interface SlotWanted {
  readonly plugin: string;
  readonly group: PeerGroup;
  readonly needs: RemoteNeeds;
}

export interface RemoteDirectoryOptions {
  readonly pluginId: string;
  readonly clock: Clock;
  readonly workers: PeerWorkers;
  /** How long a model is known after its last worker has left. */
  readonly graceMs: number;
  /** Returns a number from 0 to 1, for a choice among equals. */
  readonly random: () => number;
  /** Whether each peer that is there has told what it has. */
  readonly isSettled: () => boolean;
  /** Creates what a job sends its request with. */
  readonly use: (wanted: SlotWanted) => SlotUse;
}

/** What peers have for one model. */
interface Served {
  readonly groups: Set<PeerGroup>;
  readonly rows: Set<ModelRow>;
}

/** What the workers of all peers serve for one plugin: the answers to the questions that a pool asks about them. */
export class RemoteDirectory implements RemoteModels {
  readonly workers: PeerWorkers;
  readonly #options: RemoteDirectoryOptions;
  readonly #byModel = new Map<string, Served>();
  readonly #byAlias = new Map<string, Set<string>>();
  readonly #models: Known;
  readonly #aliases: Known;
  readonly #known: Known;
  /** When a server first saw a model, as told. It is remembered as long as the model. */
  readonly #firstSeen = new Map<string, number>();
  #offersRevision = 0;
  #onOffers: (() => void) | undefined;
  #isToTell = false;

  constructor(options: RemoteDirectoryOptions) {
    const { clock, graceMs, workers } = options;
    this.#options = options;
    this.workers = workers;
    this.#models = new Known(clock, graceMs);
    this.#aliases = new Known(clock, graceMs);
    this.#known = new Known(clock, graceMs);
    workers.onMoved((workerId) => {
      if (workers.find(workerId)) this.#known.arrived(workerId);
      else this.#known.left(workerId);
      this.#tellOffers();
    });
  }

  get size(): number {
    return this.workers.size;
  }

  get isSettled(): boolean {
    return this.#options.isSettled();
  }

  get offersRevision(): number {
    return this.#offersRevision;
  }

  choose(model: string, needs: RemoteNeeds): RemoteChoice | undefined {
    const served = this.#byModel.get(model);
    if (!served) return undefined;
    const { clock, random } = this.#options;
    const now = clock.elapsed();
    const named = this.#named(needs);
    let best: PeerGroup | undefined;
    let bestFree = 0;
    let ties = 1;
    for (const group of served.groups) {
      const { peer } = group;
      if (!peer.takesJobs || !peer.isReachable) continue;
      const free = group.free(now);
      if (free <= 0 || !this.#allows(group, needs, named)) continue;
      const order = best ? Number(peer.isNear) - Number(best.peer.isNear) || free - bestFree : 1;
      if (order < 0) continue;
      ties = order > 0 ? 1 : ties + 1;
      // The n-th of equals replaces those before with a chance of 1 in n, so that all have the same.
      if (order === 0 && random() * ties >= 1) continue;
      best = group;
      bestFree = free;
    }
    return best && this.#choiceOf(best, needs, named);
  }

  isReady(model: string, needs: RemoteNeeds): boolean {
    const named = this.#named(needs);
    for (const group of this.#ready(model)) if (this.#allows(group, needs, named)) return true;
    return false;
  }

  loadOf(model: string, needs: RemoteNeeds): { readonly busy: number; readonly slots: number } {
    const now = this.#options.clock.elapsed();
    const named = this.#named(needs);
    let [busy, slots] = [0, 0];
    for (const group of this.#ready(model)) {
      if (!this.#allows(group, needs, named)) continue;
      slots += group.slots;
      busy += group.slots - Math.max(0, group.free(now));
    }
    return { busy, slots };
  }

  workersOf(model: string): number {
    let count = 0;
    for (const { workers } of this.#byModel.get(model)?.groups ?? []) count += workers;
    return count;
  }

  *modelsOf(alias: string): Iterable<string> {
    for (const model of this.#byAlias.get(alias) ?? []) if (this.#isServed(model)) yield model;
  }

  *servedModels(): Iterable<string> {
    for (const model of this.#byModel.keys()) if (this.#isServed(model)) yield model;
  }

  knownModels(): Iterable<string> {
    return this.#models.names();
  }

  isKnownModel(model: string): boolean {
    return this.#models.has(model);
  }

  isKnownAlias(alias: string): boolean {
    return this.#aliases.has(alias);
  }

  isKnownWorker(workerId: string): boolean {
    return this.#known.has(workerId);
  }

  serverOf(workerId: string): string | undefined {
    return this.workers.serverOf(workerId);
  }

  firstSeenAt(model: string): number | undefined {
    return this.#models.has(model) ? this.#firstSeen.get(model) : undefined;
  }

  /** Returns the time that any peer has told for a model, also for one that has been gone for long. */
  everSeenAt(model: string): number | undefined {
    return this.#firstSeen.get(model);
  }

  /** Returns what the workers of each peer that takes jobs say of a model together. */
  *infosOf(model: string): Iterable<ModelInfo> {
    if (!this.#isServed(model)) return;
    for (const { info } of this.#byModel.get(model)?.rows ?? []) yield info;
  }

  /** Returns the peers with workers that serve exactly this model, each with its groups. */
  groupsOf(model: string): Iterable<PeerGroup> {
    return this.#ready(model);
  }

  /** Adds a group. Its peer is there. */
  add(group: PeerGroup): void {
    const { model } = group;
    this.#onChange();
    this.#servedOf(model).groups.add(group);
    this.#models.arrived(model);
    const alias = aliasKey(model);
    if (alias === undefined) return;
    this.#byAlias.set(alias, (this.#byAlias.get(alias) ?? new Set()).add(model));
    this.#aliases.arrived(alias);
  }

  remove(group: PeerGroup): void {
    const { model } = group;
    const served = this.#byModel.get(model);
    if (!served?.groups.delete(group)) return;
    this.#onChange();
    if (served.groups.size > 0) return;
    this.#models.left(model);
    this.#forgetUnused(model, served);
    const alias = aliasKey(model);
    const models = alias === undefined ? undefined : this.#byAlias.get(alias);
    models?.delete(model);
    if (alias === undefined || models?.size !== 0) return;
    this.#byAlias.delete(alias);
    this.#aliases.left(alias);
  }

  addRow(row: ModelRow): void {
    const { id } = row.info;
    this.#onChange();
    this.#servedOf(id).rows.add(row);
    const seen = Math.min(row.firstSeenAt, this.#firstSeen.get(id) ?? row.firstSeenAt);
    this.#firstSeen.delete(id); // Deleted and set again, so that the oldest is the first that is forgotten.
    this.#firstSeen.set(id, seen);
    const [oldest] = this.#firstSeen.keys();
    if (this.#firstSeen.size > MAX_FIRST_SEEN && oldest !== undefined) this.#firstSeen.delete(oldest);
  }

  removeRow(row: ModelRow): void {
    const served = this.#byModel.get(row.info.id);
    if (!served?.rows.delete(row)) return;
    this.#onChange();
    this.#forgetUnused(row.info.id, served);
  }

  /** Notes that what a peer offers has changed in another way, such as by its state. */
  changed(): void {
    this.#onChange();
  }

  /** Calls `listener` a moment after what peers offer has changed, or a worker has moved. There is one listener. */
  onOffers(listener: () => void): void {
    this.#onOffers = listener;
  }

  #onChange(): void {
    this.#offersRevision += 1;
    this.#tellOffers();
  }

  #tellOffers(): void {
    const onOffers = this.#onOffers;
    if (!onOffers || this.#isToTell) return;
    this.#isToTell = true;
    this.#options.clock.after(GATHER_MS, () => {
      this.#isToTell = false;
      onOffers();
    });
  }

  #servedOf(model: string): Served {
    const known = this.#byModel.get(model);
    if (known) return known;
    const served: Served = { groups: new Set(), rows: new Set() };
    this.#byModel.set(model, served);
    return served;
  }

  #forgetUnused(model: string, { groups, rows }: Served): void {
    if (groups.size === 0 && rows.size === 0) this.#byModel.delete(model);
  }

  #isServed(model: string): boolean {
    for (const _ of this.#ready(model)) return true;
    return false;
  }

  *#ready(model: string): Iterable<PeerGroup> {
    for (const group of this.#byModel.get(model)?.groups ?? [])
      if (group.slots > 0 && group.peer.takesJobs) yield group;
  }

  #named({ workerId }: RemoteNeeds): PeerWorker | undefined {
    return workerId === undefined ? undefined : this.workers.find(workerId);
  }

  /** Whether a worker of the group may serve a demand. */
  #allows(group: PeerGroup, needs: RemoteNeeds, named: PeerWorker | undefined): boolean {
    if (!group.takes(needs)) return false;
    const { workerId, sessionId, excluded } = needs;
    if (sessionId !== undefined) {
      const wished = this.workers.ofSession(sessionId);
      if (!wished || !isIn(group, wished) || isOut(wished, excluded)) return false;
    }
    if (workerId !== undefined) return named !== undefined && isIn(group, named) && !isOut(named, excluded);
    if (excluded === NONE_EXCLUDED) return true;
    const out = new Set<PeerWorker>();
    for (const session of excluded.sessions) {
      const worker = this.workers.ofSession(session);
      if (worker && isIn(group, worker)) out.add(worker);
    }
    for (const id of excluded.workers) {
      const worker = this.workers.find(id);
      if (worker && isIn(group, worker)) out.add(worker);
    }
    return group.workers > out.size;
  }

  #choiceOf(group: PeerGroup, needs: RemoteNeeds, named: PeerWorker | undefined): RemoteChoice {
    return {
      server: group.peer.id,
      group,
      ...(named && { workerId: named.row.id, sessionId: named.row.session }),
      hold: () => this.slotOf(group, needs),
    };
  }

  /** Takes a slot of a group for a job. */
  slotOf(group: PeerGroup, needs: RemoteNeeds): RemoteSlot {
    const { clock, pluginId, use } = this.#options;
    const held = group.hold(clock.elapsed());
    const { open, progress, count, release, refuse } = use({ plugin: pluginId, group, needs });
    return {
      open,
      progress,
      count,
      release() {
        held.release();
        release();
      },
      refuse() {
        held.refuse(clock.elapsed());
        refuse();
      },
    };
  }
}

function isIn(group: PeerGroup, { peer, row }: PeerWorker): boolean {
  return peer === group.peer && row.groups.includes(group.row.number);
}

function isOut({ row }: PeerWorker, { sessions, workers }: Needs["excluded"]): boolean {
  return sessions.has(row.session) || workers.has(row.id);
}
