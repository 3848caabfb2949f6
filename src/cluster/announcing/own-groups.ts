import { infoOf, joinInfo, toInfo } from "../../pool/model-facts.ts";
import type { PoolLoad } from "../../pool/pool-load.ts";
import type { Seat } from "../../pool/seat.ts";
import type { Clock } from "../../system/deps.ts";
import type { ModelInfo } from "../../wire/model-info.ts";
import type { GroupRow, LoadRow, ModelRow } from "../gossip/rows.ts";
import { groupKeyOf, OwnGroup } from "./own-group.ts";

export interface OwnGroupsOptions {
  readonly pluginId: string;
  readonly load: Pick<PoolLoad, "watch" | "seats" | "has" | "waiting" | "firstSeenAt">;
  readonly clock: Clock;
  /** Returns a number that no group has had before. */
  readonly nextNumber: () => number;
  /** Returns when other servers first saw a model; undefined if none of them knows it. */
  readonly firstSeenElsewhere: (model: string) => number | undefined;
  /**
   * Called when a seat has changed, for every job. `isUrgent`: the free slots of a group may have reached 0 or left it, or the
   * worker offers something else.
   */
  readonly onChange: (isUrgent: boolean) => void;
}

/** What has changed in the groups of a plugin since the last announcement. */
export interface GroupChanges {
  readonly groups: readonly GroupRow[];
  readonly load: readonly LoadRow[];
  readonly models: readonly ModelRow[];
  /** Numbers of groups without a worker. */
  readonly ended: readonly number[];
}

/** Which loads are announced: all that have changed, or only those whose free slots have reached 0 or left it. */
export type Urgency = "all" | "edges";

/** The least time between two urgent loads of one group. */
export const EDGE_MS = 50;

/** A seat as it was at the last check. */
interface Seen {
  readonly offer: Seat["session"]["offer"];
  readonly worker: Seat["session"]["worker"];
  /** By model. */
  readonly groups: ReadonlyMap<string, OwnGroup>;
  readonly infos: readonly ModelInfo[];
}

/** The jobs of this server that wait for a model. */
interface Waits {
  readonly waiting: number;
  readonly oldestMs: number;
}

const NOBODY_WAITS: Waits = { waiting: 0, oldestMs: 0 };

/** The workers of one plugin in groups, as they are announced to other servers. */
export class OwnGroups {
  readonly #options: OwnGroupsOptions;
  readonly #dirty = new Set<Seat>();
  /** What each seat offered, and whether it had room, when it changed last. */
  readonly #marks = new Map<Seat, { offer: Seat["session"]["offer"]; hasRoom: boolean }>();
  /** By the ids of the sessions. */
  readonly #seen = new Map<string, Seen>();
  readonly #groups = new Map<string, OwnGroup>();
  /** Groups whose load may have changed since the last check, and groups whose change is not urgent. */
  readonly #touched = new Set<OwnGroup>();
  readonly #deferred = new Set<OwnGroup>();
  readonly #ended: number[] = [];
  /** Models that may have changed, because one of their workers has changed. */
  readonly #changedModels = new Set<string>();
  readonly #byModel = new Map<string, Set<OwnGroup>>();
  readonly #toldModels = new Map<string, { readonly row: ModelRow; readonly text: string }>();
  /** The ids of sessions whose groups have changed. */
  readonly #regrouped = new Set<string>();
  #waits: ReadonlyMap<OwnGroup, Waits> = new Map();

  constructor(options: OwnGroupsOptions) {
    this.#options = options;
    options.load.watch((seat) => {
      this.#dirty.add(seat);
      options.onChange(this.#mark(seat));
    });
    for (const seat of options.load.seats()) this.#dirty.add(seat);
  }

  /** Returns the groups of a session's worker, as of the last `refresh`. */
  groupsOf(sessionId: string): number[] {
    const seen = this.#seen.get(sessionId);
    return seen ? Array.from(seen.groups.values(), ({ row }) => row.number) : [];
  }

  /** Checks the seats that have changed. */
  refresh(): void {
    for (const seat of this.#dirty) this.#look(seat);
    this.#dirty.clear();
  }

  /** Returns the ids of the sessions whose groups have changed since the last call. */
  takeRegrouped(): readonly string[] {
    const taken = [...this.#regrouped];
    this.#regrouped.clear();
    return taken;
  }

  /**
   * Returns what has changed, which then counts as announced. The result always has new groups, groups in which a worker has
   * come or gone, ended groups, and models.
   */
  take(urgency: Urgency): GroupChanges {
    const now = this.#options.clock.elapsed();
    if (urgency === "all") {
      this.#countWaits(now);
      for (const group of this.#deferred) this.#touched.add(group);
      this.#deferred.clear();
    }
    const groups: GroupRow[] = [];
    const load: LoadRow[] = [];
    for (const group of this.#touched) {
      const row = group.loadRow(this.#waits.get(group) ?? NOBODY_WAITS);
      const turn = urgency === "all" ? "now" : turnOf(group, row, now);
      if (turn === "soon") continue;
      this.#touched.delete(group);
      if (turn === "later") this.#deferred.add(group);
      if (turn === "later" || (group.told && isSame(group.told, row))) continue;
      this.#deferred.delete(group);
      if (!group.isTold) groups.push(group.row);
      group.isTold = true;
      group.told = row;
      group.toldAt = now;
      load.push(row);
    }
    return { groups, load, models: this.#takeModels(), ended: this.#ended.splice(0) };
  }

  /** Returns all rows, as they were announced last. */
  told(): Omit<GroupChanges, "ended"> {
    const groups: GroupRow[] = [];
    const load: LoadRow[] = [];
    for (const { row, told } of this.#groups.values()) {
      if (!told) continue;
      groups.push(row);
      load.push(told);
    }
    return { groups, load, models: Array.from(this.#toldModels.values(), ({ row }) => row) };
  }

  /** When the next announcement is due: in a moment, in the next period, or not until something changes. */
  get pending(): "soon" | "later" | "nothing" {
    if (this.#dirty.size > 0 || this.#touched.size > 0) return "soon";
    return this.#deferred.size > 0 ? "later" : "nothing";
  }

  /** Returns whether other servers should know of the change of a seat at once. */
  #mark(seat: Seat): boolean {
    const { hasRoom, session } = seat;
    const mark = this.#marks.get(seat);
    if (!mark) {
      this.#marks.set(seat, { hasRoom, offer: session.offer });
      // A new worker is announced at once, with its groups.
      return !hasRoom;
    }
    if (mark.hasRoom === hasRoom && mark.offer === session.offer) return false;
    mark.hasRoom = hasRoom;
    mark.offer = session.offer;
    return true;
  }

  #look(seat: Seat): void {
    const { session } = seat;
    const seen = this.#seen.get(session.id);
    const isHere = this.#options.load.has(seat);
    if (isHere && seen && seen.offer === session.offer && seen.worker === session.worker) {
      for (const [model, group] of seen.groups) {
        const served = seat.byModel.get(model);
        if (served) group.update(served);
        this.#touched.add(group);
      }
      return;
    }
    const groups = new Map<string, OwnGroup>();
    if (isHere) for (const [model, served] of seat.byModel) groups.set(model, this.#groupOf(served));
    for (const [model, group] of seen?.groups ?? []) {
      this.#changedModels.add(model);
      if (groups.get(model) !== group) this.#leave(group, seat);
    }
    for (const [model, group] of groups) {
      const served = seat.byModel.get(model);
      if (served) group.update(served);
      this.#touched.add(group);
      this.#changedModels.add(model);
    }
    if (isHere) {
      this.#seen.set(session.id, { offer: session.offer, worker: session.worker, groups, infos: infoOf(seat) });
      this.#regrouped.add(session.id);
    } else {
      this.#seen.delete(session.id);
      this.#marks.delete(seat);
    }
  }

  #groupOf(served: Parameters<typeof groupKeyOf>[0]): OwnGroup {
    const { pluginId, nextNumber } = this.#options;
    const key = groupKeyOf(served);
    const known = this.#groups.get(key);
    if (known) return known;
    const group = new OwnGroup(nextNumber(), pluginId, served);
    this.#groups.set(key, group);
    const ofModel = this.#byModel.get(served.model) ?? new Set();
    this.#byModel.set(served.model, ofModel.add(group));
    return group;
  }

  #leave(group: OwnGroup, seat: Seat): void {
    group.remove(seat);
    this.#touched.add(group);
    if (group.size > 0) return;
    this.#touched.delete(group);
    this.#deferred.delete(group);
    this.#groups.delete(group.key);
    const ofModel = this.#byModel.get(group.row.model);
    ofModel?.delete(group);
    if (ofModel?.size === 0) this.#byModel.delete(group.row.model);
    if (group.isTold) this.#ended.push(group.row.number);
  }

  /** Counts the jobs of this server that wait for each model by its own name. */
  #countWaits(now: number): void {
    const before = this.#waits;
    const waits = new Map<OwnGroup, Waits>();
    for (const { demand, arrivedAt } of this.#options.load.waiting()) {
      for (const group of this.#byModel.get(demand.model) ?? []) {
        const { waiting, oldestMs } = waits.get(group) ?? NOBODY_WAITS;
        waits.set(group, { waiting: waiting + 1, oldestMs: Math.max(oldestMs, Math.round(now - arrivedAt)) });
      }
    }
    for (const group of waits.keys()) this.#touched.add(group);
    for (const group of before.keys()) if (group.size > 0) this.#touched.add(group);
    this.#waits = waits;
  }

  #takeModels(): readonly ModelRow[] {
    const rows: ModelRow[] = [];
    for (const model of this.#changedModels) {
      if (!this.#byModel.has(model)) {
        this.#toldModels.delete(model);
        continue;
      }
      const row = this.#modelRow(model);
      const text = JSON.stringify(row);
      if (this.#toldModels.get(model)?.text === text) continue;
      this.#toldModels.set(model, { row, text });
      rows.push(row);
    }
    this.#changedModels.clear();
    return rows;
  }

  #modelRow(model: string): ModelRow {
    const { pluginId, load, firstSeenElsewhere, clock } = this.#options;
    const seats = [...(this.#byModel.get(model) ?? [])].flatMap((group) => [...group.seats()]).filter(isReady);
    // What workers of certain tenants say is nothing for other callers.
    const open = seats.filter(({ tenants }) => !tenants);
    const infos = (open.length > 0 ? open : seats).flatMap(({ session }): readonly ModelInfo[] =>
      (this.#seen.get(session.id)?.infos ?? []).filter(({ id }) => id === model),
    );
    const firstSeenAt = Math.min(load.firstSeenAt(model) ?? clock.now(), firstSeenElsewhere(model) ?? clock.now());
    return { plugin: pluginId, firstSeenAt: Math.floor(firstSeenAt), info: toInfo(model, joinInfo(infos)) };
  }
}

function isReady({ capacity }: Seat): boolean {
  return capacity > 0;
}

/** Returns when a group's load is announced if only urgent changes are. */
function turnOf({ told, toldAt }: OwnGroup, row: LoadRow, now: number): "now" | "soon" | "later" {
  // A worker has come or gone.
  if (told?.[1] !== row[1]) return "now";
  if ((told[3] === 0) === (row[3] === 0)) return "later";
  return now - toldAt >= EDGE_MS ? "now" : "soon";
}

function isSame(a: LoadRow, b: LoadRow): boolean {
  return a.every((value, at) => value === b[at]);
}
