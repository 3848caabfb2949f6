import * as v from "valibot";
import type { CancelTimer, Clock } from "../../system/deps.ts";
import type { Tells } from "../tells.ts";

/** How often changed counts are sent. */
export const COUNT_PERIOD_MS = 100;
/** The least time between two messages. It bounds their number while a count moves around its limit. */
const LEAST_PAUSE_MS = 10;
/** How often all counts are sent again, which repairs lost messages. */
const REPAIR_MS = 1000;
/** How long the counts of a peer stay valid if they are not sent again: three repairs. */
const EXPIRY_MS = 3 * REPAIR_MS;

/** The most callers whose counts one peer may send. */
const MAX_CALLERS = 10_000;
const MAX_NAME_CHARS = 512;

/** A count is sent again when it has changed by this fraction, as long as it is well below its limit. */
const CHANGE = 0.1;
/** From this fraction of a limit on, every change is sent. */
const CLOSE = 0.8;

const countRow = v.tuple([
  v.pipe(v.string(), v.maxLength(MAX_NAME_CHARS)),
  v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(1_000_000)),
]);
const countsSchema = v.object({
  type: v.literal("counts"),
  /** Whether these are all counts of the sender, so that all others are 0. */
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
 * Counts the running requests of callers over all servers. Each server sends its counts of the callers that use a good part
 * of their limit, there or at a peer. It sends no others, so that thousands of quiet callers cost nothing. The sum may exceed
 * a limit by the requests that arrive within one period and the time that a message takes. A peer without a link counts as 0.
 */
export class Counts {
  readonly #clock: Clock;
  readonly #tells: Tells;
  readonly #own = new Map<string, Own>();
  readonly #told = new Map<string, Map<string, number>>();
  /** Timers that drop the counts of a peer which does not send them again. */
  readonly #cancelExpiry = new Map<string, CancelTimer>();
  /** The sums of all peers' counts. */
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

  /** Returns how many requests of a caller run at other servers, by their last messages. */
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
    // The first count of a busy caller is sent at once, and so is the one that reaches the limit.
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

  /** Sends all counts again, and repeats that as long as there are any. */
  #repair(): void {
    this.#cancelRepair = undefined;
    const hasAny = this.#tellAll((message) => this.#tells.toAll(message));
    if (hasAny) this.#cancelRepair = this.#clock.after(REPAIR_MS, () => this.#repair());
  }

  #tellAll(send: (message: { readonly type: "counts" }) => void): boolean {
    const counts: [string, number][] = [];
    for (const [name, own] of this.#own) {
      // A caller that a peer has reported counts as busy, even if few of its requests run here.
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
