import type { EndedCalls, EndedMcpCall } from "../plugin/ended-calls.ts";
import type { CancelTimer, Clock, Log } from "../system/deps.ts";
import type { KeyMask } from "../system/key-mask.ts";
import { CallReader } from "./call-reader.ts";
import type { CallBounds, CallRecords } from "./call-records.ts";
import { type PastCall, toPastCall } from "./past-call.ts";

export interface CallTrailOptions {
  readonly clock: Clock;
  readonly log: Pick<Log, "warn">;
  readonly records: CallRecords;
  readonly mask: Pick<KeyMask, "apply">;
  /** The most calls that are kept; 0 keeps none, and removes those that are there. */
  readonly kept: number;
  /** Time after which what was added is written. */
  readonly flushMs: number;
}

/** How long calls are kept: as long as the audit trail, a year and a month. */
const KEPT_MS = 396 * 86_400_000;
/**
 * Calls that were refused are kept in a tenth of the room, so that somebody without access cannot push out the calls of others.
 * There is room for a few, however little is kept.
 */
const REFUSED_SHARE = 0.1;
const MIN_REFUSED = 10;
/** The calls of one transaction, which takes about 1 ms. */
const CALLS_PER_SLICE = 100;
/** As many calls are written at once, without waiting for the end of the interval. */
const SOON = 500;
/** The most calls that wait to be written, as on a full disk. The oldest of more than that are lost, which the log says. */
const MAX_WAITING = 5000;
const PRUNE_CALLS = 300;

/** The calls of MCP servers that have ended, the newest `kept` of them. */
export class CallTrail implements EndedCalls {
  readonly reader: CallReader;
  readonly #options: CallTrailOptions;
  /** Calls that are not written yet, the oldest first. */
  #waiting: PastCall[] = [];
  #lastId: number;
  #cancelTimer: CancelTimer | undefined;
  /** Whether the next turn writes. */
  #isSoon = false;
  #lost = 0;
  #isClosed = false;

  constructor(options: CallTrailOptions) {
    this.#options = options;
    this.reader = new CallReader({ ...options, unwritten: () => this.#waiting });
    this.#lastId = options.records.lastId();
    // The bounds may be tighter than those of the last run.
    if (this.#lastId > 0) this.#flushIn(options.flushMs);
  }

  /** The most calls that are kept. */
  get kept(): number {
    return this.#options.kept;
  }

  add(ended: EndedMcpCall): void {
    if (this.kept === 0) return;
    const { clock, mask, flushMs } = this.#options;
    this.#lastId += 1;
    this.#waiting.push(toPastCall(ended, this.#lastId, clock.now(), mask));
    if (this.#waiting.length > MAX_WAITING) this.#lose();
    if (this.#isClosed) this.#writeAll();
    else if (this.#cancelTimer === undefined) this.#flushIn(flushMs);
    else if (this.#waiting.length === SOON && !this.#isSoon) this.#flushIn(0);
  }

  /** Writes everything at once. What is added later is written immediately. */
  close(): void {
    this.#isClosed = true;
    this.#cancelTimer?.();
    this.#writeAll();
  }

  #flushIn(ms: number): void {
    this.#cancelTimer?.();
    this.#isSoon = ms === 0;
    this.#cancelTimer = this.#options.clock.after(ms, () => this.#flush());
  }

  /** Writes one slice or removes a few calls, and goes on in a later turn of the event loop. */
  #flush(): void {
    this.#cancelTimer = undefined;
    const isWritten = this.#writeSlice();
    const isMore = isWritten && (this.#waiting.length > 0 || this.#options.records.prune(this.#bounds(), PRUNE_CALLS));
    if (isMore) this.#flushIn(0);
    else if (!isWritten) this.#flushIn(this.#options.flushMs);
  }

  #writeSlice(): boolean {
    const slice = this.#waiting.slice(0, CALLS_PER_SLICE);
    if (slice.length === 0) return true;
    if (!this.#options.records.add(slice)) return false;
    this.#waiting.splice(0, slice.length);
    if (this.#lost > 0) this.#options.log.warn("calls.lost", { calls: this.#lost });
    this.#lost = 0;
    return true;
  }

  #writeAll(): void {
    while (this.#waiting.length > 0) if (!this.#writeSlice()) return;
  }

  #lose(): void {
    this.#lost += 1;
    this.#waiting.shift();
  }

  #bounds(): CallBounds {
    const { kept, clock } = this.#options;
    const refused = kept === 0 ? 0 : Math.max(Math.floor(kept * REFUSED_SHARE), Math.min(MIN_REFUSED, kept));
    return { calls: kept - Math.min(refused, kept), refused, since: clock.now() - KEPT_MS };
  }
}
