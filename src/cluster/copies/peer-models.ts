import { aliasKey } from "../../pool/alias.ts";
import { Known } from "../../pool/known.ts";
import { KnownFor } from "../../pool/known-for.ts";
import type { Clock } from "../../system/deps.ts";
import { setNewest } from "../../system/newest.ts";
import type { ModelInfo } from "../../wire/model-info.ts";
import type { ModelRow } from "../gossip/rows.ts";
import type { PeerGroup, PeerSight } from "./peer-group.ts";

/** The most models whose first sight is remembered. */
const MAX_FIRST_SEEN = 20_000;

/** What peers have for one model. */
interface Served {
  readonly groups: Set<PeerGroup>;
  /** What each peer says, and which peer that is. */
  readonly rows: Map<ModelRow, string>;
}

/** The models that peers serve or have served within the grace period, and what they tell of them. */
export class PeerModels {
  readonly #byModel = new Map<string, Served>();
  /** The groups of each peer, by their numbers. */
  readonly #byNumber = new Map<PeerSight, Map<number, PeerGroup>>();
  readonly #byAlias = new Map<string, Set<string>>();
  readonly #models: Known;
  readonly #aliases: Known;
  /** Who may know of the models and aliases. */
  readonly #visible: KnownFor;
  /** When a server first saw a model, as told. */
  readonly #firstSeen = new Map<string, number>();

  constructor(clock: Clock, graceMs: number) {
    this.#models = new Known(clock, graceMs);
    this.#aliases = new Known(clock, graceMs);
    this.#visible = new KnownFor(clock, graceMs);
  }

  /** Returns all groups of a model, in any state. */
  groupsOf(model: string): Iterable<PeerGroup> {
    return this.#byModel.get(model)?.groups ?? [];
  }

  /** Returns the groups of a model whose workers take jobs, busy or not. */
  *readyOf(model: string): Iterable<PeerGroup> {
    for (const group of this.groupsOf(model)) if (group.slots > 0 && group.peer.takesJobs) yield group;
  }

  workersOf(model: string): number {
    let count = 0;
    for (const { workers } of this.groupsOf(model)) count += workers;
    return count;
  }

  /** Returns the models of an alias that workers take jobs for. */
  *ofAlias(alias: string): Iterable<string> {
    for (const model of this.#byAlias.get(alias) ?? []) if (this.#isServed(model)) yield model;
  }

  /** Returns the models that workers take jobs for. */
  *served(): Iterable<string> {
    for (const model of this.#byModel.keys()) if (this.#isServed(model)) yield model;
  }

  known(): Iterable<string> {
    return this.#models.names();
  }

  isKnown(model: string, tenant?: string): boolean {
    if (tenant !== undefined && this.#visible.isDivided) return this.#visible.has(model, tenant);
    return this.#models.has(model);
  }

  isKnownAlias(alias: string, tenant?: string): boolean {
    if (tenant !== undefined && this.#visible.isDivided) return this.#visible.has(aliasName(alias), tenant);
    return this.#aliases.has(alias);
  }

  /** The time, in milliseconds since 1970, at which a peer first saw a model; undefined for one that is not known. */
  firstSeenAt(model: string): number | undefined {
    return this.#models.has(model) ? this.#firstSeen.get(model) : undefined;
  }

  /** Like `firstSeenAt`, also for a model that no peer has served for long. */
  everSeenAt(model: string): number | undefined {
    return this.#firstSeen.get(model);
  }

  /** Whether some group serves or served only certain tenants. */
  get isDivided(): boolean {
    return this.#visible.isDivided;
  }

  /** Returns the size of the largest group that serves the callers of a tenant. Looks at every group. */
  mostWorkersFor(tenant: string): number {
    let most = 0;
    for (const { groups } of this.#byModel.values())
      for (const group of groups) if (group.takes({ tenant })) most = Math.max(most, group.workers);
    return most;
  }

  /** Returns the only tenants that one of these groups of a peer serves; undefined if it serves all. */
  tenantsOf(peer: PeerSight, numbers: readonly number[]): ReadonlySet<string> | undefined {
    if (!this.isDivided) return undefined;
    const groups = this.#byNumber.get(peer);
    const number = groups && numbers.find((each) => groups.has(each));
    return number === undefined ? undefined : groups?.get(number)?.tenantSet;
  }

  /**
   * Returns what the workers of each peer together say of a model that workers take jobs for; with a tenant, what the workers say
   * that serve its callers.
   */
  *infosOf(model: string, tenant?: string): Iterable<ModelInfo> {
    if (!this.#isServed(model)) return;
    for (const [{ info }, peer] of this.#byModel.get(model)?.rows ?? [])
      if (tenant === undefined || this.#isAbout(model, peer, tenant)) yield info;
  }

  /**
   * Whether what a peer says of a model is about workers that serve the callers of a tenant: it speaks of those that serve everybody
   * if it has any, else of all that it has.
   */
  #isAbout(model: string, peer: string, tenant: string): boolean {
    let isAnyOpen = false;
    let isHidden = false;
    for (const group of this.readyOf(model)) {
      if (group.peer.id !== peer) continue;
      isAnyOpen ||= !group.tenants;
      isHidden ||= !group.takes({ tenant });
    }
    return isAnyOpen || !isHidden;
  }

  add(group: PeerGroup): void {
    const { model, peer, row } = group;
    this.#servedOf(model).groups.add(group);
    const ofPeer = this.#byNumber.get(peer) ?? new Map<number, PeerGroup>();
    this.#byNumber.set(peer, ofPeer.set(row.number, group));
    this.#models.arrived(model);
    this.#visible.arrived(model, group.tenantSet);
    const alias = aliasKey(model);
    if (alias === undefined) return;
    this.#visible.arrived(aliasName(alias), group.tenantSet);
    this.#byAlias.set(alias, (this.#byAlias.get(alias) ?? new Set()).add(model));
    this.#aliases.arrived(alias);
  }

  /** Returns false for a group that is not here. */
  remove(group: PeerGroup): boolean {
    const { model, peer, row, tenantSet } = group;
    const served = this.#byModel.get(model);
    if (!served?.groups.delete(group)) return false;
    const ofPeer = this.#byNumber.get(peer);
    ofPeer?.delete(row.number);
    if (ofPeer?.size === 0) this.#byNumber.delete(peer);
    const alias = aliasKey(model);
    this.#visible.left(model, tenantSet);
    if (alias !== undefined) this.#visible.left(aliasName(alias), tenantSet);
    if (served.groups.size > 0) return true;
    this.#models.left(model);
    this.#forgetUnused(model, served);
    const models = alias === undefined ? undefined : this.#byAlias.get(alias);
    models?.delete(model);
    if (alias === undefined || models?.size !== 0) return true;
    this.#byAlias.delete(alias);
    this.#aliases.left(alias);
    return true;
  }

  addRow(row: ModelRow, peer: string): void {
    const { id } = row.info;
    this.#servedOf(id).rows.set(row, peer);
    const seen = Math.min(row.firstSeenAt, this.#firstSeen.get(id) ?? row.firstSeenAt);
    setNewest(this.#firstSeen, id, seen, MAX_FIRST_SEEN);
  }

  /** Returns false for a row that is not here. */
  removeRow(row: ModelRow): boolean {
    const { id } = row.info;
    const served = this.#byModel.get(id);
    if (!served?.rows.delete(row)) return false;
    this.#forgetUnused(id, served);
    return true;
  }

  #servedOf(model: string): Served {
    const known = this.#byModel.get(model);
    if (known) return known;
    const served: Served = { groups: new Set(), rows: new Map() };
    this.#byModel.set(model, served);
    return served;
  }

  #forgetUnused(model: string, { groups, rows }: Served): void {
    if (groups.size === 0 && rows.size === 0) this.#byModel.delete(model);
  }

  #isServed(model: string): boolean {
    for (const _ of this.readyOf(model)) return true;
    return false;
  }
}

/** Names an alias beside models, none of which has a line break in its name. */
function aliasName(alias: string): string {
  return `\n${alias}`;
}
