import {
  type CallBounds,
  type CallFilter,
  type CallRecords,
  type CallWindow,
  isMeant,
  WINDOW_CALLS,
} from "./call-records.ts";
import type { PastCall } from "./past-call.ts";

/** The most calls that are held in memory, whatever the setting. One takes about 600 bytes without its arguments. */
export const MAX_MEMORY_CALLS = 10_000;
/** The most characters of all arguments together. */
const MAX_ARGUMENTS_CHARS = 4 * 1024 * 1024;

/** Calls that are lost at the end of the process. The oldest are forgotten first. */
export class MemoryCalls implements CallRecords {
  /** The oldest first. */
  #calls: PastCall[] = [];
  /** The calls that were refused. */
  #refused = 0;
  #argumentChars = 0;

  lastId(): number {
    return this.#calls.at(-1)?.id ?? 0;
  }

  add(calls: readonly PastCall[]): boolean {
    for (const call of calls) {
      this.#calls.push(call);
      this.#count(call, 1);
    }
    if (this.#argumentChars > MAX_ARGUMENTS_CHARS) this.#dropArguments();
    return true;
  }

  look(filter: CallFilter, before: number, limit: number): CallWindow {
    const found: PastCall[] = [];
    const end = this.#endBefore(before);
    const start = Math.max(0, end - WINDOW_CALLS);
    for (let at = end - 1; at >= start; at -= 1) {
      const call = this.#calls[at];
      if (call === undefined || !isMeant(call, filter)) continue;
      if (found.push(call) === limit) return { calls: found, oldest: call };
    }
    return { calls: found, oldest: start === 0 ? undefined : this.#calls[start] };
  }

  prune({ calls, refused, since }: CallBounds, limit: number): boolean {
    const beyond = { calls: this.#calls.length - this.#refused - calls, refused: this.#refused - refused };
    if (beyond.calls <= 0 && beyond.refused <= 0 && !((this.#calls[0]?.endedAt ?? since) < since)) return false;
    const left = { calls: limit, refused: limit };
    let isMore = false;
    this.#calls = this.#calls.filter((call) => {
      const kind = call.outcome === "refused" ? "refused" : "calls";
      const isBeyond = beyond[kind] > 0 || call.endedAt < since;
      if (!isBeyond) return true;
      isMore ||= left[kind] === 0;
      if (left[kind] === 0) return true;
      left[kind] -= 1;
      beyond[kind] -= 1;
      this.#count(call, -1);
      return false;
    });
    return isMore;
  }

  /** Returns the index behind the last call whose id is below `before`. */
  #endBefore(before: number): number {
    let [low, high] = [0, this.#calls.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#calls[middle]?.id ?? before) < before) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #count({ outcome, arguments: given }: PastCall, by: 1 | -1): void {
    if (outcome === "refused") this.#refused += by;
    this.#argumentChars += by * (given?.length ?? 0);
  }

  /** Forgets the arguments of older calls, and keeps the calls, until half of the room is free. */
  #dropArguments(): void {
    let room = MAX_ARGUMENTS_CHARS / 2;
    for (let at = this.#calls.length - 1; at >= 0; at -= 1) {
      const call = this.#calls[at];
      if (call?.arguments === undefined) continue;
      room -= call.arguments.length;
      if (room < 0) this.#calls[at] = { ...call, arguments: undefined };
    }
    this.#argumentChars = this.#calls.reduce((chars, { arguments: given }) => chars + (given?.length ?? 0), 0);
  }
}
