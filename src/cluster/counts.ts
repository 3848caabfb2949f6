import * as v from "valibot";
import type { CancelTimer, Clock } from "../system/deps.ts";
import type { Tells } from "./tells.ts";

/** How often counts that have changed are told. */
export const COUNT_PERIOD_MS = 100;
/** The least time between two messages, which bounds them while a count swings about its limit. */
const LEAST_PAUSE_MS = 10;
/** How often all counts are told again, which repairs whatever was lost. */
const REPAIR_MS = 1000;
/** How long the counts of a peer stand without being told again: three repairs. */
const EXPIRY_MS = 3 * REPAIR_MS;

/** The most callers whose counts one peer may tell. */
const MAX_CALLERS = 10_000;
const MAX_NAME_CHARS = 512;

/** A change by this part of what was told is told again, as long as there is plenty of room. */
const CHANGE = 0.1;
/** From this part of a limit on, every change is told. */
const CLOSE = 0.8;

const countRow = v.tuple([
  v.pipe(v.string(), v.maxLength(MAX_NAME_CHARS)),
  v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(1_000_000)),
]);
const countsSchema = v.object({
  type: v.literal("counts"),
  /** Whether these are all counts of the sender; any other is 0. */
  is_full: v.boolean(),
  counts: v.pipe(v.array(countRow), v.maxLength(MAX_CALLERS)),
});

interface Own {
  count: number;
  limit: number;
  /** What the peers were told last. */
  told: number;
}

/**
 * Counts the running requests of callers over all servers. Each server tells how many run there: of callers that use a
 * good part of their limit here or at a peer, and of no others, so that thousands of quiet callers cost nothing. The sum
 * may exceed a limit by what arrives within one period and the time that news takes. A peer without a link counts 0.
 */
export class Counts {
  readonly #clock: Clock;
  readonly #tells: Tells;
  readonly #own = new Map<string, Own>();
  readonly #told = new Map<string, Map<string, number>>();
  /** Ends the counts of each peer that are not told again. */
  readonly #cancelExpiry = new Map<string, CancelTimer>();
  /** The sum of what the peers have told. */
  readonly #elsewhere = new Map<string, number>();
  readonly #changed = new Set<string>();
  #toldAt = Number.NEGATIVE_INFINITY;
  #cancelTell: CancelTimer | undefined;
  #cancelRepair: CancelTimer | undefined;

  constructor(clock: Clock, tells: Tells) {
    this.#clock = clock;
    this.#tells = tells;
    tells.on("counts", countsSchema, (peer, { is_full, counts }) => this.#onCounts(peer, counts, is_full));
    tells.onJoined((peer) => this.#tellAll((message) => tells.to(peer, message)));
    tells.onLost((peer) => this.#onCounts(peer, [], true));
  }

  /** How many requests of a caller run at other servers, as far as they have told. */
  countOf(name: string): number {
    return this.#elsewhere.get(name) ?? 0;
  }

  /** Notes how many requests of a caller run here, of at most `limit` in all. */
  changed(name: string, count: number, limit: number): void {
    const own = this.#own.get(name) ?? { count, limit, told: 0 };
    this.#own.set(name, own);
    const wasBelow = own.count + this.countOf(name) < limit;
    own.count = count;
    own.limit = limit;
    if (!this.#isWorthTelling(name, own)) {
      if (count === 0 && own.told === 0) this.#own.delete(name);
      return;
    }
    // At once when a server learns that a caller is busy, and when the limit is reached.
    const isUrgent = own.told === 0 || (wasBelow && count + this.countOf(name) >= limit);
    const isSoon = this.#clock.elapsed() - this.#toldAt < LEAST_PAUSE_MS;
    this.#changed.add(name);
    if (isUrgent && !isSoon) this.#tellChanged();
    else this.#cancelTell ??= this.#clock.after(isUrgent ? LEAST_PAUSE_MS : COUNT_PERIOD_MS, () => this.#tellChanged());
  }

  close(): void {
    this.#cancelTell?.();
    this.#cancelRepair?.();
    for (const cancel of this.#cancelExpiry.values()) cancel();
  }

  #isWorthTelling(name: string, { count, limit, told }: Own): boolean {
    const elsewhere = this.countOf(name);
    if (count === told) return false;
    if (count === 0) return true;
    const servers = this.#tells.peerCount + 1;
    const isQuiet = told === 0 && elsewhere === 0 && count < limit / (2 * servers);
    if (isQuiet) return false;
    return Math.abs(count - told) >= CHANGE * told || count + elsewhere >= CLOSE * limit;
  }

  #tellChanged(): void {
    this.#cancelTell?.();
    this.#cancelTell = undefined;
    this.#toldAt = this.#clock.elapsed();
    const counts: [string, number][] = [];
    for (const name of this.#changed) {
      const own = this.#own.get(name);
      if (!own || own.count === own.told) continue;
      own.told = own.count;
      counts.push([name, own.count]);
      if (own.count === 0) this.#own.delete(name);
    }
    this.#changed.clear();
    if (counts.length > 0) this.#tells.toAll({ type: "counts", is_full: false, counts: counts.slice(0, MAX_CALLERS) });
    this.#cancelRepair ??= this.#clock.after(REPAIR_MS, () => this.#repair());
  }

  /** Tells all counts once more, and goes on as long as there are any. */
  #repair(): void {
    this.#cancelRepair = undefined;
    const hasAny = this.#tellAll((message) => this.#tells.toAll(message));
    if (hasAny) this.#cancelRepair = this.#clock.after(REPAIR_MS, () => this.#repair());
  }

  #tellAll(send: (message: { readonly type: "counts" }) => void): boolean {
    const counts: [string, number][] = [];
    for (const [name, own] of this.#own) {
      // A caller that a peer has told of counts as busy, however few of its requests run here.
      if (own.told === 0 && this.countOf(name) === 0) continue;
      own.told = own.count;
      if (own.count > 0 && counts.length < MAX_CALLERS) counts.push([name, own.count]);
    }
    send({ type: "counts", is_full: true, counts } as { readonly type: "counts" });
    return counts.length > 0;
  }

  #onCounts(peer: string, counts: readonly (readonly [string, number])[], isFull: boolean): void {
    const before = this.#told.get(peer) ?? new Map<string, number>();
    const told = isFull ? new Map<string, number>() : before;
    if (isFull) for (const name of before.keys()) this.#note(name, before, 0);
    this.#told.set(peer, told);
    for (const [name, count] of counts) if (told.has(name) || told.size < MAX_CALLERS) this.#note(name, told, count);
    this.#cancelExpiry.get(peer)?.();
    this.#cancelExpiry.delete(peer);
    if (told.size === 0) this.#told.delete(peer);
    else
      this.#cancelExpiry.set(
        peer,
        this.#clock.after(EXPIRY_MS, () => this.#onCounts(peer, [], true)),
      );
    for (const [name] of counts) {
      const own = this.#own.get(name);
      if (own) this.changed(name, own.count, own.limit);
    }
  }

  #note(name: string, told: Map<string, number>, count: number): void {
    const sum = this.countOf(name) - (told.get(name) ?? 0) + count;
    if (count === 0) told.delete(name);
    else told.set(name, count);
    if (sum === 0) this.#elsewhere.delete(name);
    else this.#elsewhere.set(name, sum);
  }
}
