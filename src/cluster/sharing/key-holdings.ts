import * as v from "valibot";
import type { KeyHolding, PeerHolding } from "../../limits/elsewhere.ts";
import type { CancelTimer, Clock } from "../../system/deps.ts";
import type { Tells } from "../tells.ts";

/** The least time between two messages about changes. The first change after a pause is told at once. */
export const HOLDING_PERIOD_MS = 50;
/** How often everything is told again, which repairs lost messages and tells what no longer counts. */
const REPAIR_MS = 1000;
/** How long the jobs and waiting requests of a peer count without being told again: three repairs. */
const JOBS_EXPIRY_MS = 3 * REPAIR_MS;
/** The same for what counts for a minute. */
const MINUTE_EXPIRY_MS = 60_000;

/** The most keys whose holdings at peers are kept. */
const MAX_KEYS = 20_000;
const MAX_ROWS = 1000;
const MAX_ID_CHARS = 160;
/** More than any key uses in a minute. */
const MAX_AMOUNT = 1e12;

const amount = v.pipe(v.number(), v.minValue(0), v.maxValue(MAX_AMOUNT));
/** The key; jobs that run and that wait for `parallel`; requests of the last minute and waiting ones; the same in tokens. */
const rowSchema = v.tuple([
  v.pipe(v.string(), v.maxLength(MAX_ID_CHARS)),
  amount,
  amount,
  amount,
  amount,
  amount,
  amount,
]);
type Row = v.InferOutput<typeof rowSchema>;
const messageSchema = v.object({
  type: v.literal("key_holdings"),
  keys: v.pipe(v.array(rowSchema), v.maxLength(MAX_ROWS)),
});
type Message = v.InferOutput<typeof messageSchema>;

/** The same numbers by their names. */
interface Heard extends PeerHolding {
  readonly heardAt: number;
}

export interface KeyHoldingsOptions {
  readonly clock: Clock;
  readonly tells: Tells;
  /** Returns what a key holds here; undefined if no limit bounds that. */
  readonly own: (keyId: string) => KeyHolding | undefined;
  /** Called when peers hold or want more or less of a key's limits. */
  readonly onChange: (keyId: string) => void;
}

/**
 * Tells peers what keys hold here of their limits for jobs at once and per minute, and keeps what they tell. Messages have
 * absolute numbers and are repeated, so a lost one matters for a second at most. They name only keys that have such limits and
 * hold something.
 */
export class KeyHoldings {
  readonly #options: KeyHoldingsOptions;
  readonly #changed = new Set<string>();
  /** What was told last, of keys that hold something. */
  readonly #told = new Map<string, Row>();
  readonly #heard = new Map<string, readonly Heard[]>();
  #toldAt = Number.NEGATIVE_INFINITY;
  #cancelTell: CancelTimer | undefined;
  #cancelRepair: CancelTimer | undefined;

  constructor(options: KeyHoldingsOptions) {
    const { tells } = options;
    this.#options = options;
    tells.on("key_holdings", messageSchema, (peer, { keys }) => this.#take(peer, keys));
    tells.onJoined((peer) => this.#send(this.#told.keys(), (message) => void tells.to(peer, message)));
  }

  /** Returns what peers hold of a key's limits. */
  of(keyId: string): readonly PeerHolding[] {
    return this.#heard.get(keyId) ?? NOBODY;
  }

  changed(keyId: string): void {
    this.#changed.add(keyId);
    const { clock } = this.#options;
    const pause = Math.max(0, this.#toldAt + HOLDING_PERIOD_MS - clock.elapsed());
    // At the earliest in the next turn, since a request often begins in the turn in which it came.
    this.#cancelTell ??= clock.after(pause, () => this.#tell());
  }

  close(): void {
    this.#cancelTell?.();
    this.#cancelRepair?.();
  }

  #tell(): void {
    const { clock, tells } = this.#options;
    this.#cancelTell = undefined;
    this.#toldAt = clock.elapsed();
    const changed = [...this.#changed].filter((keyId) => !areSame(this.#rowOf(keyId), this.#told.get(keyId)));
    this.#changed.clear();
    this.#send(changed, (message) => tells.toAll(message));
    this.#keepRepairing();
  }

  #keepRepairing(): void {
    if (this.#told.size === 0 && this.#heard.size === 0) return;
    this.#cancelRepair ??= this.#options.clock.after(REPAIR_MS, () => this.#repair());
  }

  #repair(): void {
    const { tells, onChange } = this.#options;
    this.#cancelRepair = undefined;
    this.#expire();
    this.#send([...this.#told.keys()], (message) => tells.toAll(message));
    // Whose turn it is also changes with the time.
    for (const keyId of this.#heard.keys()) onChange(keyId);
    this.#keepRepairing();
  }

  #send(keyIds: Iterable<string>, send: (message: Message) => void): void {
    const keys: Row[] = [];
    for (const keyId of keyIds) {
      const row = this.#rowOf(keyId);
      if (row) this.#told.set(keyId, row);
      else this.#told.delete(keyId);
      keys.push(row ?? [keyId, 0, 0, 0, 0, 0, 0]);
    }
    for (let at = 0; at < keys.length; at += MAX_ROWS)
      send({ type: "key_holdings", keys: keys.slice(at, at + MAX_ROWS) });
  }

  /** Returns what the peers are to be told of a key; undefined if it holds nothing. */
  #rowOf(keyId: string): Row | undefined {
    const own = this.#options.own(keyId);
    if (!own) return undefined;
    const { running, runningWanted, requests, requestsWanted, tokens, tokensWanted } = own;
    const row: Row = [keyId, running, runningWanted, requests, requestsWanted, tokens, tokensWanted];
    return holdsAny(row) ? row : undefined;
  }

  #take(peer: string, rows: readonly Row[]): void {
    const heardAt = this.#options.clock.elapsed();
    for (const row of rows) {
      const [keyId, running, runningWanted, requests, requestsWanted, tokens, tokensWanted] = row;
      const others = (this.#heard.get(keyId) ?? []).filter(({ server }) => server !== peer);
      const heard = { server: peer, running, runningWanted, requests, requestsWanted, tokens, tokensWanted, heardAt };
      this.#keep(keyId, holdsAny(row) ? [...others, heard] : others);
      // What waits here may wait for something else now.
      this.changed(keyId);
    }
    for (const [keyId] of rows) this.#options.onChange(keyId);
    this.#keepRepairing();
  }

  /** Forgets what peers hold that have not told of it for too long. */
  #expire(): void {
    const now = this.#options.clock.elapsed();
    for (const [keyId, all] of this.#heard) {
      if (all.every(({ heardAt }) => now - heardAt < JOBS_EXPIRY_MS)) continue;
      const left = all.flatMap((heard): readonly Heard[] => {
        const age = now - heard.heardAt;
        if (age < JOBS_EXPIRY_MS) return [heard];
        if (age >= MINUTE_EXPIRY_MS) return [];
        return [{ ...heard, running: 0, runningWanted: 0, requestsWanted: 0, tokensWanted: 0 }];
      });
      this.#keep(keyId, left);
      this.#options.onChange(keyId);
    }
  }

  #keep(keyId: string, heard: readonly Heard[]): void {
    if (heard.length === 0) this.#heard.delete(keyId);
    else if (this.#heard.has(keyId) || this.#heard.size < MAX_KEYS) this.#heard.set(keyId, heard);
  }
}

const NOBODY: readonly PeerHolding[] = [];

function holdsAny([, ...amounts]: Row): boolean {
  return amounts.some((each) => each > 0);
}

function areSame(a: Row | undefined, b: Row | undefined): boolean {
  if (!a || !b) return a === b;
  return a.every((value, at) => value === b[at]);
}
