import type { Clock } from "../../system/deps.ts";
import type { HeldSession } from "../../tunnel/session-watch.ts";

/** The least age of a session whose worker is told to move. */
export const MIN_AGE_MS = 60_000;
/** How long a worker may take to connect again. After that it counts as one that stays. */
export const ARRIVAL_MS = 30_000;

/** What the worker reads in its log. */
const WHY_MOVE = "other servers have fewer workers";
const WHY_LEAVE = "the worker has connected again";

interface Entry {
  readonly held: HeldSession;
  /** `Clock.elapsed`. */
  readonly openedAt: number;
  /** Whether the worker was told to move and came back to this server. It is not told again. */
  readonly hasReturned: boolean;
  /** `Clock.elapsed` at which the worker was told to move; undefined if it was not. */
  movedAt: number | undefined;
  /** Whether the worker has connected again, so that this session ends with its last job. */
  hasLeft: boolean;
}

/**
 * Moves workers of this server to other servers. A worker that moves opens its new session before it leaves the old one, so
 * no job and no slot is lost.
 */
export class Moves {
  readonly #clock: Clock;
  /** By plugin and the ids of the sessions. */
  readonly #entries = new Map<string, Map<string, Entry>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  plugins(): Iterable<string> {
    return this.#entries.keys();
  }

  /** Notes a new session. `before` is the worker's newest earlier session on this server. */
  opened(plugin: string, held: HeldSession, before: HeldSession | undefined): void {
    const entries = this.#of(plugin);
    const entryBefore = before && entries.get(before.session.id);
    const hasReturned = entryBefore?.movedAt !== undefined;
    // The endpoint has told the worker to leave its older session.
    if (entryBefore) entryBefore.hasLeft = true;
    const openedAt = this.#clock.elapsed();
    entries.set(held.session.id, { held, openedAt, hasReturned, movedAt: undefined, hasLeft: false });
  }

  ended(plugin: string, { session }: HeldSession): void {
    this.#entries.get(plugin)?.delete(session.id);
  }

  /** Notes that a worker has a newer session. If it was told to move, its session here ends with its last job. */
  left(plugin: string, { session }: HeldSession): void {
    const entry = this.#entries.get(plugin)?.get(session.id);
    if (entry?.movedAt === undefined || entry.hasLeft) return;
    entry.hasLeft = true;
    entry.held.drain(WHY_LEAVE);
  }

  /** Counts the workers of a plugin, without those that move or have moved away. */
  count(plugin: string): number {
    const now = this.#clock.elapsed();
    let count = 0;
    for (const { movedAt, hasLeft } of this.#of(plugin).values())
      if (movedAt === undefined || (!hasLeft && now - movedAt >= ARRIVAL_MS)) count += 1;
    return count;
  }

  /** Tells up to `most` workers that run no job to move, those that came first before others. Returns how many it told. */
  begin(plugin: string, most: number): number {
    const now = this.#clock.elapsed();
    let told = 0;
    for (const entry of this.#of(plugin).values()) {
      if (told >= most) return told;
      const { held, openedAt, hasReturned, movedAt } = entry;
      if (hasReturned || movedAt !== undefined || now - openedAt < MIN_AGE_MS || !held.canMove) continue;
      entry.movedAt = now;
      held.handOver(WHY_MOVE);
      told += 1;
    }
    return told;
  }

  #of(plugin: string): Map<string, Entry> {
    const known = this.#entries.get(plugin);
    if (known) return known;
    const entries = new Map<string, Entry>();
    this.#entries.set(plugin, entries);
    return entries;
  }
}
