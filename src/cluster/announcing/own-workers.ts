import { accessOf } from "../../plugin/worker-access.ts";
import type { Clock } from "../../system/deps.ts";
import type { IdHolder } from "../../tunnel/id-search.ts";
import type { Claimant } from "../../tunnel/owners.ts";
import type { HeldSession, SessionWatch } from "../../tunnel/session-watch.ts";
import { CLOSES, closeWith } from "../../wire/closes.ts";
import type { LeftRow, WorkerRow } from "../gossip/rows.ts";
import type { HybridClock } from "../ids/hybrid-clock.ts";
import type { IdFact } from "../ids/id-facts.ts";
import { LeftIds } from "../ids/left-ids.ts";
import type { WorkerIds } from "../ids/worker-ids.ts";
import { Moves } from "./moves.ts";

export interface OwnWorkersOptions {
  readonly serverId: string;
  readonly clock: Clock;
  readonly stamps: HybridClock;
  readonly ids: WorkerIds;
  /** Whether a key or role of the server still stands for this owner. */
  readonly isOwner: (owner: string) => boolean;
  /** Returns the owner to whom the ids of an owner belong now: another one if its key was replaced. */
  readonly heirOf: (owner: string) => string;
  /** Returns the worker of another server that has an id. */
  readonly holderOf: (pluginId: string, workerId: string) => IdHolder | undefined;
  /** Called when a worker has come, changed or gone. */
  readonly onChange: () => void;
}

/** What has changed since the last announcement. */
export interface WorkerChanges {
  readonly workers: readonly Omit<WorkerRow, "groups">[];
  /** The ids of sessions that have ended. */
  readonly closed: readonly string[];
  readonly left: readonly LeftRow[];
}

interface Entry {
  readonly plugin: string;
  readonly held: HeldSession;
  fact: IdFact;
  isTold: boolean;
}

const ID_IN_USE = closeWith("id_in_use", "a worker with another key has it on another server");

/**
 * The workers of all plugins that are connected to this server, as they are announced to other servers. Closes the sessions
 * of workers whose id belongs to a worker of another server.
 */
export class OwnWorkers {
  /** Those that move to other servers. */
  readonly moves: Moves;
  readonly #options: OwnWorkersOptions;
  /** By the ids of the sessions. */
  readonly #entries = new Map<string, Entry>();
  readonly #changed = new Set<string>();
  readonly #closed: string[] = [];
  readonly #left: LeftRow[] = [];
  readonly #leftIds = new Map<string, LeftIds>();

  constructor(options: OwnWorkersOptions) {
    this.#options = options;
    this.moves = new Moves(options.clock);
  }

  get hasChanges(): boolean {
    return this.#changed.size > 0 || this.#closed.length > 0 || this.#left.length > 0;
  }

  /** Returns the watch of one plugin's sessions. */
  watch(pluginId: string): SessionWatch {
    const left = new LeftIds(this.#options.clock, this.#options.ids.of(pluginId));
    this.#leftIds.set(pluginId, left);
    return {
      mayClaim: (workerId, claimant) => this.#mayClaim(pluginId, workerId, claimant),
      holderOf: (workerId) => this.#options.holderOf(pluginId, workerId),
      onOpened: (held) => this.#opened(pluginId, held, left),
      onLeaving: (held) => this.#leaving(held),
      onClosed: (held) => this.#ended(held, left),
    };
  }

  /** Returns a session of this server. */
  find(sessionId: string): HeldSession | undefined {
    return this.#entries.get(sessionId)?.held;
  }

  /** Notes that something that is announced about a session's worker has changed. */
  touch(sessionId: string): void {
    if (this.#entries.has(sessionId)) this.#changed.add(sessionId);
  }

  /** Closes the sessions of this server that must not have the id any more. */
  judge(pluginId: string, workerId: string): void {
    const ids = this.#options.ids.of(pluginId);
    for (const fact of [...ids.of(workerId)]) {
      const entry = fact.session === undefined ? undefined : this.#entries.get(fact.session);
      if (entry?.fact !== fact) continue;
      const verdict = ids.judge(fact);
      if (verdict === "replaced") entry.held.session.close(CLOSES.replaced);
      else if (verdict === "id_in_use") entry.held.session.close(ID_IN_USE);
      else if (fact.isLeaving && ids.hasSuccessor(fact)) this.moves.left(pluginId, entry.held);
    }
  }

  /** Returns what has changed, which then counts as announced. */
  take(): WorkerChanges {
    const workers: Omit<WorkerRow, "groups">[] = [];
    for (const sessionId of this.#changed) {
      const entry = this.#entries.get(sessionId);
      if (!entry) continue;
      entry.isTold = true;
      workers.push(toRow(entry));
    }
    this.#changed.clear();
    return { workers, closed: this.#closed.splice(0), left: this.#left.splice(0) };
  }

  /** Returns all workers and the owners of those that have left, as they were announced last. */
  told(): Omit<WorkerChanges, "closed"> {
    const left: LeftRow[] = [];
    for (const [plugin, ids] of this.#leftIds) {
      ids.prune();
      for (const { fact, ageMs } of ids.all()) left.push({ ...toLeft(plugin, fact), ageMs: Math.round(ageMs) });
    }
    const told = [...this.#entries.values()].filter(({ isTold }) => isTold);
    return { workers: told.map(toRow), left };
  }

  #mayClaim(pluginId: string, workerId: string, claimant: Claimant): boolean {
    this.#leftIds.get(pluginId)?.prune();
    const holder = this.#options.ids.of(pluginId).holderOf(workerId);
    const { owner, previousOwner } = claimant;
    if (!holder || holder.owner === owner || holder.owner === previousOwner) return true;
    const heir = this.#options.heirOf(holder.owner);
    return heir === owner || heir === previousOwner || !this.#options.isOwner(heir);
  }

  #opened(plugin: string, held: HeldSession, left: LeftIds): void {
    const { session, claimant, isLeaving } = held;
    const { serverId, stamps, ids, heirOf, onChange } = this.#options;
    const facts = ids.of(plugin);
    const at = stamps.stamp();
    const { owner, previousOwner } = claimant;
    const { id } = session.worker;
    const before = facts.holderOf(id)?.owner;
    // A key that was replaced proves nothing any more, but other servers must know that the worker is the same.
    const was = before !== undefined && before !== owner && heirOf(before) === owner ? before : previousOwner;
    const since = facts.sinceFor(id, { owner, was }, at);
    left.remove(id);
    const fact = { server: serverId, id, session: session.id, owner, was, since, at, isLeaving };
    this.moves.opened(plugin, held, this.#newestOf(facts.of(id)));
    facts.add(fact);
    this.#entries.set(session.id, { plugin, held, fact, isTold: false });
    this.#changed.add(session.id);
    onChange();
  }

  /** Finds the newest session of this server among facts about one id. */
  #newestOf(facts: readonly IdFact[]): HeldSession | undefined {
    let newest: Entry | undefined;
    for (const { session, at } of facts) {
      const entry = session === undefined ? undefined : this.#entries.get(session);
      if (entry && (!newest || at > newest.fact.at)) newest = entry;
    }
    return newest?.held;
  }

  #leaving({ session, isLeaving }: HeldSession): void {
    const entry = this.#entries.get(session.id);
    if (!entry) return;
    const facts = this.#options.ids.of(entry.plugin);
    facts.remove(entry.fact);
    entry.fact = { ...entry.fact, isLeaving };
    facts.add(entry.fact);
    this.#changed.add(session.id);
    this.#options.onChange();
  }

  #ended({ session }: HeldSession, left: LeftIds): void {
    const entry = this.#entries.get(session.id);
    if (!entry) return;
    const { plugin, held, fact, isTold } = entry;
    this.moves.ended(plugin, held);
    this.#entries.delete(session.id);
    this.#changed.delete(session.id);
    this.#options.ids.of(plugin).remove(fact);
    left.add(fact);
    this.#left.push({ ...toLeft(plugin, fact), ageMs: 0 });
    if (isTold) this.#closed.push(session.id);
    this.#options.onChange();
  }
}

function toRow({ plugin, held, fact }: Entry): Omit<WorkerRow, "groups"> {
  const { id, session = "", owner, since, at, was, isLeaving } = fact;
  const access = accessOf(held.session);
  return { plugin, id, session, owner, since, at, was, isLeaving, ...(access && { access }) };
}

function toLeft(plugin: string, { id, owner, since, was }: IdFact): Omit<LeftRow, "ageMs"> {
  return { plugin, id, owner, since, was };
}
