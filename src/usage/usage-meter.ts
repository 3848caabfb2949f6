import type { CancelTimer, Clock } from "../system/deps.ts";
import { wholeAmount } from "./amounts.ts";
import { EndUserRoom } from "./end-user-room.ts";
import { type Cell, LiveCells, mergeCells } from "./live-cells.ts";
import { type Spent, SpentSince, spentIn } from "./spent-since.ts";
import { periodOf, type UsageCell, type UsageRecords } from "./usage-records.ts";

/** What one ended request used. An absent amount is 0. */
export interface RequestUsage {
  /** The id of a made key; for any other caller, its name. */
  readonly key: string;
  readonly model: string;
  /** A digest of the person behind the request. */
  readonly endUser?: string | undefined;
  readonly isFailed: boolean;
  readonly inputTokens?: number | undefined;
  readonly cachedTokens?: number | undefined;
  readonly outputTokens?: number | undefined;
  readonly audioSeconds?: number | undefined;
  /** Whether the tokens are an estimate. */
  readonly isEstimated?: boolean;
  readonly waitMs: number;
  readonly heldMs: number;
}

export interface UsageMeterOptions {
  readonly clock: Clock;
  readonly records: UsageRecords;
  /** Time after which what was added is written. */
  readonly flushMs: number;
}

/** The cells of one transaction. Each has three rows, and 300 rows take about 1 ms. */
const CELLS_PER_SLICE = 100;
/** The most rows of each step that are removed at once. */
const PRUNE_ROWS = 300;
/** How often rows are removed after one flush, so that a long clean-up does not delay the next flush. */
const PRUNES_PER_FLUSH = 10;
/** The most cells that wait to be written. Beyond that, as on a full disk, they are merged, and only totals stay correct. */
const MAX_WAITING = 50_000;

/**
 * Counts what every request used, by key, model and end user. It adds to cells in memory, and writes them a moment later in
 * slices, with turns of the event loop in between so that streams continue. If the process is killed, at most what was added
 * within one flush interval is lost.
 */
export class UsageMeter {
  readonly #options: UsageMeterOptions;
  readonly #live = new LiveCells();
  readonly #endUsers = new EndUserRoom();
  readonly #spent: SpentSince;
  /** The minute of the live cells. */
  #minute = 0;
  /** Cells that no longer change and are not written yet. */
  #waiting: Cell[] = [];
  #cancelTimer: CancelTimer | undefined;
  /** The minute in which the last old rows were removed. */
  #prunedAt = 0;
  /** How often rows may still be removed before the next flush. */
  #prunesLeft = 0;
  #isClosed = false;

  constructor(options: UsageMeterOptions) {
    this.#options = options;
    this.#spent = new SpentSince(options.clock.now(), (from) =>
      spentIn(options.records.spentSince(from), this.unwritten(), from),
    );
  }

  /** Counts a request. */
  add(used: RequestUsage): void {
    const { clock } = this.#options;
    const now = clock.now();
    const minute = periodOf(now, "minute");
    if (minute !== this.#minute) this.#begin(minute);
    const { key, model } = used;
    const endUser = used.endUser === undefined ? "" : this.#endUsers.nameOf(key, used.endUser, now);
    const cell = this.#live.of(minute, { key, model, endUser });
    const input = wholeAmount(used.inputTokens);
    const output = wholeAmount(used.outputTokens);
    cell.requests += 1;
    if (used.isFailed) cell.failures += 1;
    cell.input += input;
    cell.cached += wholeAmount(used.cachedTokens);
    cell.output += output;
    const audioMs = used.audioSeconds === undefined ? 0 : wholeAmount(used.audioSeconds * 1000);
    cell.audioMs += audioMs;
    cell.waitMs += wholeAmount(used.waitMs);
    cell.heldMs += wholeAmount(used.heldMs);
    if (used.isEstimated) cell.estimated += input + output;
    this.#spent.add(key, input + output, audioMs);
    if (this.#isClosed) this.#writeAll();
    else if (this.#cancelTimer === undefined) this.#flushIn(this.#options.flushMs);
  }

  /** Returns the cells that are not written yet. They change with what is added. */
  unwritten(): readonly UsageCell[] {
    return [...this.#waiting, ...this.#live.all()];
  }

  /** Returns what a key has used since a time: see `SpentSince`. */
  usedSince(key: string, from: number): Spent {
    return this.#spent.of(key, from);
  }

  /** Returns the part of that which was used before the meter was created: by an earlier run of the server. */
  usedBefore(key: string, from: number): Spent {
    return this.#spent.before(key, from);
  }

  /** Writes everything at once. What is added later is written immediately. */
  close(): void {
    this.#isClosed = true;
    this.#cancelTimer?.();
    this.#writeAll();
  }

  #begin(minute: number): void {
    this.#seal();
    this.#minute = minute;
  }

  /** Moves the live cells to those that are to be written, so that later requests get new ones. */
  #seal(): void {
    for (const cell of this.#live.take()) this.#waiting.push(cell);
  }

  #flushIn(ms: number): void {
    this.#cancelTimer = this.#options.clock.after(ms, () => this.#flush());
  }

  #flush(): void {
    this.#seal();
    this.#prunesLeft = PRUNES_PER_FLUSH;
    this.#writeNext();
  }

  /** Writes one slice, and the next one in a later turn of the event loop. */
  #writeNext(): void {
    const isWritten = this.#writeSlice();
    const isMore = isWritten && (this.#waiting.length > 0 || this.#prune());
    if (isMore) {
      this.#cancelTimer = this.#options.clock.after(0, () => this.#writeNext());
      return;
    }
    this.#cancelTimer = undefined;
    if (!isWritten || this.#live.size > 0) this.#flushIn(this.#options.flushMs);
  }

  #writeSlice(): boolean {
    const slice = this.#waiting.slice(0, CELLS_PER_SLICE);
    if (slice.length === 0) return true;
    if (this.#options.records.add(slice)) {
      this.#waiting.splice(0, slice.length);
      return true;
    }
    if (this.#waiting.length > MAX_WAITING) this.#waiting = mergeCells(this.#waiting);
    return false;
  }

  #writeAll(): void {
    this.#seal();
    while (this.#waiting.length > 0) if (!this.#writeSlice()) return;
  }

  /** Removes some of the rows that are too old, until none is left in this minute. Returns whether to go on now. */
  #prune(): boolean {
    if (this.#prunesLeft === 0) return false;
    this.#prunesLeft -= 1;
    const now = this.#options.clock.now();
    const minute = periodOf(now, "minute");
    if (minute === this.#prunedAt) return false;
    const isMore = this.#options.records.prune(now, PRUNE_ROWS);
    if (!isMore) this.#prunedAt = minute;
    return isMore;
  }
}
