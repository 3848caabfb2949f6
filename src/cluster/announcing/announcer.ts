import { isRecord } from "../../json/parse.ts";
import type { CancelTimer, Clock } from "../../system/deps.ts";
import { msToNext } from "../gossip/beats.ts";
import { type Ends, packRows, type Rows } from "../gossip/rows.ts";
import type { GroupChanges, OwnGroups, Urgency } from "./own-groups.ts";
import type { OwnWorkers } from "./own-workers.ts";

/** How long arrivals and departures of workers are collected before they are sent in one message. */
const GATHER_MS = 20;
/** The least time between two checks of the load, and how long changes are collected before the first check. */
const LOOK_MS = 50;
const FIRST_LOOK_MS = 5;
/** How often changed load is announced. */
export const LOAD_MS = 250;
/** The most snapshots that are kept for servers that still ask for their parts. */
const MAX_SNAPSHOTS = 4;

export interface AnnouncerOptions {
  readonly serverId: string;
  readonly epoch: string;
  readonly clock: Clock;
  readonly workers: OwnWorkers;
  /** Sends a message to all peers. */
  readonly publish: (message: object) => void;
}

/**
 * Announces to the other servers what this one has: each change in a numbered delta, and a snapshot to a server that asks.
 */
export class Announcer {
  readonly #options: AnnouncerOptions;
  readonly #plugins = new Map<string, OwnGroups>();
  /** Snapshots, each in parts, by the number of the last delta that they include. The newest is the last. */
  readonly #snapshots = new Map<number, readonly object[]>();
  #seq = 0;
  #groups = 0;
  #cancelGather: CancelTimer | undefined;
  #cancelLook: CancelTimer | undefined;
  #lookAt = Number.POSITIVE_INFINITY;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #toldLoadAt = Number.NEGATIVE_INFINITY;
  #isStopped = false;

  constructor(options: AnnouncerOptions) {
    this.#options = options;
  }

  /** Returns a number that no group has had before. */
  nextNumber(): number {
    this.#groups += 1;
    return this.#groups;
  }

  /** The number of the last delta. */
  get seq(): number {
    return this.#seq;
  }

  /** Adds a plugin whose workers serve models. */
  add(pluginId: string, groups: OwnGroups): void {
    this.#plugins.set(pluginId, groups);
    this.loadChanged(true);
  }

  /** Notes that a worker has come, changed or gone. */
  workersChanged(): void {
    if (this.#isStopped) return;
    this.#cancelGather ??= this.#options.clock.after(GATHER_MS, () => this.#tell("edges"));
  }

  /** Notes that a slot may have been taken or given back. Called for every job. */
  loadChanged(isUrgent: boolean): void {
    if (isUrgent) this.#lookIn(FIRST_LOOK_MS);
    else if (this.#lookAt === Number.POSITIVE_INFINITY) this.#lookNextPeriod();
  }

  /** Announces every change. MUST be called once a second, because waiting jobs change no slot. */
  tell(): void {
    this.#tell("all");
  }

  /** Answers a peer's question with one part of a snapshot. A question for a later part names the snapshot by its number. */
  answer(question: unknown): object | undefined {
    const { part, seq } = isRecord(question) ? question : {};
    if (typeof part !== "number") return undefined;
    const parts = typeof seq === "number" ? this.#snapshots.get(seq) : this.snapshot();
    return parts?.[part];
  }

  /** Returns the parts of a snapshot of everything that was announced until now. */
  snapshot(): readonly object[] {
    this.#tell("all");
    const made = this.#snapshots.get(this.#seq);
    if (made) return made;
    const { serverId, epoch, workers } = this.#options;
    const plugins = [...this.#plugins.values()].map((groups) => groups.told());
    const told = workers.told();
    const rows: Rows = {
      workers: told.workers.map((row) => ({ ...row, groups: this.#groupsOf(row.plugin, row.session) })),
      groups: plugins.flatMap(({ groups }) => groups),
      load: plugins.flatMap(({ load }) => load),
      models: plugins.flatMap(({ models }) => models),
      left: told.left,
    };
    const packs = packRows(rows);
    const parts = (packs.length === 0 ? [{}] : packs).map((pack, part, { length }) => ({
      t: "full",
      from: serverId,
      epoch,
      seq: this.#seq,
      part,
      parts: length,
      ...pack,
    }));
    this.#snapshots.set(this.#seq, parts);
    for (const old of this.#snapshots.keys()) {
      if (this.#snapshots.size <= MAX_SNAPSHOTS) break;
      this.#snapshots.delete(old);
    }
    return parts;
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancelGather?.();
    this.#cancelLook?.();
    this.#lookAt = 0;
  }

  #groupsOf(pluginId: string, sessionId: string): number[] {
    return this.#plugins.get(pluginId)?.groupsOf(sessionId) ?? [];
  }

  /** Checks the load after `ms`, or later if it was checked a moment ago. */
  #lookIn(ms: number): void {
    if (this.#isStopped) return;
    const { clock } = this.#options;
    const at = Math.max(clock.elapsed() + ms, this.#lookedAt + LOOK_MS);
    if (at >= this.#lookAt) return;
    this.#cancelLook?.();
    this.#lookAt = at;
    this.#cancelLook = clock.after(Math.max(0, at - clock.elapsed()), () => {
      this.#lookAt = Number.POSITIVE_INFINITY;
      this.#tell(clock.elapsed() - this.#toldLoadAt >= LOAD_MS - LOOK_MS / 2 ? "all" : "edges");
    });
  }

  #tell(urgency: Urgency): void {
    if (this.#isStopped) return;
    const { clock, workers } = this.#options;
    this.#cancelGather?.();
    this.#cancelGather = undefined;
    const now = clock.elapsed();
    this.#lookedAt = now;
    if (urgency === "all") this.#toldLoadAt = now;
    const changes: GroupChanges[] = [];
    for (const groups of this.#plugins.values()) {
      groups.refresh();
      for (const session of groups.takeRegrouped()) workers.touch(session);
      changes.push(groups.take(urgency));
    }
    const { workers: changed, closed, left } = workers.take();
    this.#publish({
      workers: changed.map((row) => ({ ...row, groups: this.#groupsOf(row.plugin, row.session) })),
      groups: changes.flatMap(({ groups }) => groups),
      load: changes.flatMap(({ load }) => load),
      models: changes.flatMap(({ models }) => models),
      ended: changes.flatMap(({ ended }) => ended),
      left,
      closed,
    });
    this.#lookAgain();
  }

  #publish(rows: Rows & Ends): void {
    const { serverId, epoch, publish } = this.#options;
    for (const pack of packRows(rows)) {
      this.#seq += 1;
      publish({ t: "delta", from: serverId, epoch, seq: this.#seq, ...pack });
    }
  }

  #lookAgain(): void {
    const pending = [...this.#plugins.values()].map((groups) => groups.pending);
    if (pending.includes("soon")) this.#lookIn(LOOK_MS);
    else if (pending.includes("later")) this.#lookNextPeriod();
  }

  #lookNextPeriod(): void {
    this.#lookIn(msToNext(LOAD_MS, this.#options.clock));
  }
}
