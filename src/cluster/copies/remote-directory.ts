import { Known } from "../../pool/known.ts";
import type { RemoteChoice, RemoteModels, RemoteNeeds, RemoteSlot } from "../../pool/remotes.ts";
import type { Clock } from "../../system/deps.ts";
import { setNewest } from "../../system/newest.ts";
import type { ModelInfo } from "../../wire/model-info.ts";
import type { ModelRow } from "../gossip/rows.ts";
import { isAble } from "./able-group.ts";
import { GroupSlot } from "./group-slot.ts";
import type { PeerGroup } from "./peer-group.ts";
import { PeerModels } from "./peer-models.ts";
import type { PeerWorker, PeerWorkers } from "./peer-workers.ts";

/** How long changes are gathered for `onOffers`, in milliseconds: a snapshot of a peer brings thousands. */
const GATHER_MS = 5;
/** The most workers whose tenants are remembered. */
const MAX_BOUND = 10_000;

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
  /** Creates the slot with which a job sends its request. The directory counts it as held from `hold` on. */
  readonly use: (wanted: SlotWanted) => RemoteSlot;
}

/** What the workers of all peers serve for one plugin: the answers to the questions that a pool asks about them. */
export class RemoteDirectory implements RemoteModels {
  readonly workers: PeerWorkers;
  readonly #options: RemoteDirectoryOptions;
  readonly #models: PeerModels;
  readonly #known: Known;
  /** The tenants of the workers that serve only certain ones, also of those that have left. */
  readonly #bound = new Map<string, ReadonlySet<string>>();
  #offersRevision = 0;
  #onOffers: (() => void) | undefined;
  #isToTell = false;

  constructor(options: RemoteDirectoryOptions) {
    const { clock, graceMs, workers } = options;
    this.#options = options;
    this.workers = workers;
    this.#models = new PeerModels(clock, graceMs);
    this.#known = new Known(clock, graceMs);
    workers.onMoved((workerId) => {
      const worker = workers.find(workerId);
      if (worker) this.#known.arrived(workerId);
      else this.#known.left(workerId);
      if (worker) this.#noteTenants(worker);
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
    const { clock, random } = this.#options;
    const now = clock.elapsed();
    const named = this.#named(needs);
    let best: PeerGroup | undefined;
    let bestFree = 0;
    let ties = 1;
    for (const group of this.#models.groupsOf(model)) {
      const { peer } = group;
      if (!peer.takesJobs || !peer.isReachable) continue;
      const free = group.free(now);
      if (free <= 0 || !isAble(group, needs, named, this.workers)) continue;
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
    for (const group of this.#models.readyOf(model)) if (isAble(group, needs, named, this.workers)) return true;
    return false;
  }

  loadOf(model: string, needs: RemoteNeeds): { readonly busy: number; readonly slots: number } {
    const now = this.#options.clock.elapsed();
    const named = this.#named(needs);
    let [busy, slots] = [0, 0];
    for (const group of this.#models.readyOf(model)) {
      if (!isAble(group, needs, named, this.workers)) continue;
      slots += group.slots;
      busy += group.slots - Math.max(0, group.free(now));
    }
    return { busy, slots };
  }

  workersOf(model: string): number {
    return this.#models.workersOf(model);
  }

  modelsOf(alias: string): Iterable<string> {
    return this.#models.ofAlias(alias);
  }

  servedModels(): Iterable<string> {
    return this.#models.served();
  }

  knownModels(): Iterable<string> {
    return this.#models.known();
  }

  isKnownModel(model: string, tenant?: string): boolean {
    return this.#models.isKnown(model, tenant);
  }

  isKnownAlias(alias: string, tenant?: string): boolean {
    return this.#models.isKnownAlias(alias, tenant);
  }

  get isDivided(): boolean {
    return this.#models.isDivided;
  }

  sizeFor(tenant: string | undefined): number {
    return tenant === undefined || !this.isDivided ? this.size : this.#models.mostWorkersFor(tenant);
  }

  isKnownWorker(workerId: string, tenant?: string): boolean {
    if (!this.#known.has(workerId)) return false;
    return tenant === undefined || (this.#bound.get(workerId)?.has(tenant) ?? true);
  }

  serverOf(workerId: string): string | undefined {
    return this.workers.serverOf(workerId);
  }

  firstSeenAt(model: string): number | undefined {
    return this.#models.firstSeenAt(model);
  }

  /** Returns the time that any peer has told for a model, also for one that has been gone for long. */
  everSeenAt(model: string): number | undefined {
    return this.#models.everSeenAt(model);
  }

  infosOf(model: string, tenant?: string): Iterable<ModelInfo> {
    return this.#models.infosOf(model, tenant);
  }

  /** Returns the groups of peers whose workers take jobs for exactly this model. */
  groupsOf(model: string): Iterable<PeerGroup> {
    return this.#models.readyOf(model);
  }

  /** Adds a group. Its peer is there. */
  add(group: PeerGroup): void {
    this.#onChange();
    this.#models.add(group);
  }

  remove(group: PeerGroup): void {
    if (this.#models.remove(group)) this.#onChange();
  }

  /** Adds what the workers of a peer that is there say of a model. */
  addRow(row: ModelRow, peer: string): void {
    this.#onChange();
    this.#models.addRow(row, peer);
  }

  removeRow(row: ModelRow): void {
    if (this.#models.removeRow(row)) this.#onChange();
  }

  /** Notes that what a peer offers has changed in another way, such as by its state. */
  changed(): void {
    this.#onChange();
  }

  /** Calls `listener` a moment after what peers offer has changed, or a worker has moved. There is one listener. */
  onOffers(listener: () => void): void {
    this.#onOffers = listener;
  }

  #noteTenants({ peer, row }: PeerWorker): void {
    // A worker without models keeps the tenants that it had.
    if (row.groups.length === 0) return;
    const tenants = this.#models.tenantsOf(peer, row.groups);
    if (tenants) setNewest(this.#bound, row.id, tenants, MAX_BOUND);
    else this.#bound.delete(row.id);
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

  #named({ workerId }: RemoteNeeds): PeerWorker | undefined {
    return workerId === undefined ? undefined : this.workers.find(workerId);
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
    return new GroupSlot(clock, group, use({ plugin: pluginId, group, needs }));
  }
}
