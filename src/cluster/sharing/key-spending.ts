import * as v from "valibot";
import type { OwnSpent, SpentElsewhere } from "../../limits/elsewhere.ts";
import { BUDGETS, type LimitName } from "../../limits/limit-names.ts";
import type { CancelTimer, Clock } from "../../system/deps.ts";
import { SERVER_ID } from "../../system/server-id.ts";
import type { Tells } from "../tells.ts";
import { BudgetRows, type Counted, isCurrent } from "./budget-rows.ts";

/** How often peers are told what has changed. */
export const SPENDING_PERIOD_MS = 100;
/**
 * How often keys that have changed before the last time are told once more, which repairs a message that was lost with its
 * connection. One that is dead is noticed within 15 s, so the repetition goes over another one.
 */
export const REPEAT_MS = 20_000;
/** How often windows that have ended are looked for. */
const PRUNE_MS = 600_000;

/** The most rows of one message. */
const MAX_ROWS = 1000;
/** The most keys of which one peer is told at a time, so that a server that joins does not delay others. */
const MAX_KEYS_AT_ONCE = 500;
const MAX_ID_CHARS = 160;
const MAX_EPOCH_CHARS = 64;
/** More than any key uses in a month. */
const MAX_AMOUNT = 1e15;

const amount = v.pipe(v.number(), v.minValue(0), v.maxValue(MAX_AMOUNT));
/** The key, the budget, the beginning of its window, what was counted before the run of the server, and in it. */
const rowSchema = v.tuple([
  v.pipe(v.string(), v.maxLength(MAX_ID_CHARS)),
  v.picklist(BUDGETS.map(({ name }) => name)),
  v.pipe(v.number(), v.integer()),
  amount,
  amount,
]);
type Row = v.InferOutput<typeof rowSchema>;
const messageSchema = v.object({
  type: v.literal("key_spending"),
  server: v.pipe(v.string(), v.regex(SERVER_ID)),
  epoch: v.pipe(v.string(), v.maxLength(MAX_EPOCH_CHARS)),
  rows: v.pipe(v.array(rowSchema), v.maxLength(MAX_ROWS)),
});

export interface KeySpendingOptions {
  /** This server and its run. */
  readonly self: { readonly id: string; readonly epoch: string };
  readonly clock: Clock;
  readonly tells: Tells;
  /** Returns the ids of the keys with budgets. */
  readonly ids: () => Iterable<string>;
  /** Returns what is counted towards the budgets of a key here. */
  readonly own: (keyId: string) => readonly OwnSpent[];
  /** Called when more was counted elsewhere than was known. */
  readonly onChange: (keyId: string) => void;
}

/** How much a peer is told of a key: what this server has counted, or what it knows of all servers. */
type Extent = "own" | "all";

/**
 * Adds up the budgets of keys over all servers. Each server tells what it has counted within the current windows, as numbers
 * that only grow. Each peer tells a server that joins all that it knows, including what servers that are gone have counted,
 * and what the server itself had counted before its last start.
 */
export class KeySpending {
  readonly #options: KeySpendingOptions;
  readonly #rows = new BudgetRows();
  /** The present run of each peer to which there is a link, as it has said itself. */
  readonly #runs = new Map<string, string>();
  /** What each peer has yet to be told. */
  readonly #pending = new Map<string, Map<string, Extent>>();
  readonly #changed = new Set<string>();
  /** The keys that were told since the last repetition, and those that are told again with the next one. */
  #told = new Set<string>();
  #toRepeat = new Set<string>();
  #cancelTell: CancelTimer | undefined;
  #cancelRepeat: CancelTimer | undefined;
  #cancelPrune: CancelTimer | undefined;

  constructor(options: KeySpendingOptions) {
    const { tells } = options;
    this.#options = options;
    tells.on("key_spending", messageSchema, (peer, { server, epoch, rows }) => {
      if (server === peer) this.#runs.set(peer, epoch);
      this.#take(server, epoch, rows);
    });
    tells.onJoined((peer) => this.tellAll(peer));
    tells.onLost((peer) => this.#onLost(peer));
  }

  /** Returns what other servers know of a budget. */
  of(keyId: string, budget: LimitName, startsAt: number): SpentElsewhere {
    const { id } = this.#options.self;
    let before = 0;
    let others = 0;
    for (const [server, counted] of this.#rows.of(keyId, { budget, startsAt }))
      if (server === id) before = counted.before;
      else others += counted.before + counted.used;
    return { before, others };
  }

  changed(keyId: string): void {
    this.#changed.add(keyId);
    this.#tellSoon();
  }

  /** Tells a peer everything that is known. */
  tellAll(peer: string): void {
    const pending = new Map<string, Extent>();
    for (const keyId of this.#options.ids()) pending.set(keyId, "all");
    for (const keyId of this.#rows.ids()) pending.set(keyId, "all");
    this.#pending.set(peer, pending);
    if (pending.size > 0) this.#tellSoon();
  }

  close(): void {
    this.#cancelTell?.();
    this.#cancelRepeat?.();
    this.#cancelPrune?.();
  }

  /** Tells the other peers all that is known, because the last words of the lost one may not have reached them. */
  #onLost(lost: string): void {
    this.#pending.delete(lost);
    this.#runs.delete(lost);
    for (const peer of this.#pending.keys()) this.tellAll(peer);
  }

  #tellSoon(): void {
    this.#cancelTell ??= this.#options.clock.after(SPENDING_PERIOD_MS, () => this.#tell());
  }

  #tell(): void {
    this.#cancelTell = undefined;
    for (const keyId of this.#changed) {
      this.#told.add(keyId);
      this.#tellOwn(keyId);
    }
    this.#changed.clear();
    this.#keepRepeating();
    let isMore = false;
    for (const [peer, pending] of this.#pending) {
      this.#tellPeer(peer, pending);
      isMore ||= pending.size > 0;
    }
    if (isMore) this.#tellSoon();
  }

  #tellOwn(keyId: string): void {
    for (const pending of this.#pending.values()) if (!pending.has(keyId)) pending.set(keyId, "own");
  }

  #keepRepeating(): void {
    if (this.#told.size === 0 && this.#toRepeat.size === 0) return;
    this.#cancelRepeat ??= this.#options.clock.after(REPEAT_MS, () => this.#repeat());
  }

  #repeat(): void {
    this.#cancelRepeat = undefined;
    for (const keyId of this.#toRepeat) this.#tellOwn(keyId);
    if (this.#toRepeat.size > 0) this.#tellSoon();
    this.#toRepeat = this.#told;
    this.#told = new Set();
    this.#keepRepeating();
  }

  /** Sends a part of what a peer has yet to be told. What a congested link does not take is sent again later. */
  #tellPeer(peer: string, pending: Map<string, Extent>): void {
    const keys = [...pending].slice(0, MAX_KEYS_AT_ONCE);
    const { tells } = this.#options;
    const byServer = new Map<string, { readonly epoch: string; readonly rows: Row[] }>();
    for (const [keyId, extent] of keys)
      for (const { server, epoch, row } of this.#rowsOf(keyId, extent)) {
        const label = `${server} ${epoch}`;
        const group = byServer.get(label) ?? { epoch, rows: [] };
        byServer.set(label, group);
        group.rows.push(row);
      }
    for (const [label, { epoch, rows }] of byServer) {
      const server = label.slice(0, label.length - epoch.length - 1);
      for (let at = 0; at < rows.length; at += MAX_ROWS)
        if (!tells.to(peer, { type: "key_spending", server, epoch, rows: rows.slice(at, at + MAX_ROWS) })) return;
    }
    for (const [keyId] of keys) pending.delete(keyId);
  }

  *#rowsOf(keyId: string, extent: Extent): Generator<{ server: string; epoch: string; row: Row }> {
    const { self, own } = this.#options;
    for (const { budget, startsAt, before, used } of own(keyId)) {
      const known = this.of(keyId, budget, startsAt).before;
      const row: Row = [keyId, budget, startsAt, Math.max(before, known), used];
      if (row[3] + row[4] > 0) yield { server: self.id, epoch: self.epoch, row };
    }
    if (extent === "own") return;
    for (const { budget, startsAt, byServer } of this.#rows.all(keyId))
      for (const [server, { epoch, before, used }] of byServer)
        yield { server, epoch, row: [keyId, budget, startsAt, before, used] };
  }

  #take(server: string, epoch: string, rows: readonly Row[]): void {
    const { self, clock, onChange } = this.#options;
    const now = clock.now();
    const more = new Set<string>();
    for (const [keyId, budget, startsAt, before, used] of rows) {
      const window = { budget, startsAt };
      if (!isCurrent(window, now)) continue;
      const counted = server === self.id ? this.#toOwn({ epoch, before, used }) : { epoch, before, used };
      if (this.#rows.merge(keyId, window, server, counted, this.#runs.get(server))) more.add(keyId);
    }
    for (const keyId of more) onChange(keyId);
    this.#cancelPrune ??= clock.every(PRUNE_MS, () => this.#rows.prune(clock.now()));
  }

  /** Keeps of this server only what it had counted before its present run: what it counts now is known here best. */
  #toOwn({ epoch, before, used }: Counted): Counted {
    const { self } = this.#options;
    return { epoch: self.epoch, before: epoch === self.epoch ? before : before + used, used: 0 };
  }
}
