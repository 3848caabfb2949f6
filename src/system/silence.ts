import type { CancelTimer, Clock } from "./deps.ts";

/** Work that a peer does for us and that can come to a halt, such as an exchange. */
export interface Progress {
  /** `Clock.elapsed` of the last sign of progress. */
  readonly lastProgressAt: number;
  /** True while the other side cannot go on until we do something: its silence is then a stall of ours. */
  readonly isWaitingForUs: boolean;
}

/** Longest halts in milliseconds; `Infinity` allows any. Read anew at every look, so they may change while a watch runs. */
export interface SilenceLimits {
  /** How long the other side may be silent. */
  readonly silenceMs: number;
  /** How long the other side may have to wait for us. */
  readonly stallMs: number;
}

/** The longest delay that a JavaScript timer supports; a longer one fires at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * Calls `onHalt` once, when `progress` has stood still for longer than the limit that applies; `isStall` tells whether the
 * other side was waiting for us. Time that a look found allowed by an infinite limit does not count towards the other one.
 *
 * Progress costs nothing: it moves a number that the one timer looks at when it fires. The shorter limit sets the pace of
 * these looks, so a halt is noticed at most that much late. The returned function ends the watch; it may be called at any
 * time, and more than once.
 */
export function watchSilence(
  clock: Clock,
  progress: Progress,
  limits: SilenceLimits,
  onHalt: (isStall: boolean) => void,
): CancelTimer {
  let cancelTimer: CancelTimer;
  let excusedAt = Number.NEGATIVE_INFINITY;
  const lookIn = (ms: number): void => {
    cancelTimer = clock.after(Math.min(ms, limits.silenceMs, limits.stallMs, MAX_TIMER_MS), look);
  };
  const look = (): void => {
    const isStall = progress.isWaitingForUs;
    const limitMs = isStall ? limits.stallMs : limits.silenceMs;
    const now = clock.elapsed();
    if (limitMs === Number.POSITIVE_INFINITY) excusedAt = now;
    const leftMs = Math.max(progress.lastProgressAt, excusedAt) + limitMs - now;
    if (leftMs > 0) lookIn(leftMs);
    else onHalt(isStall);
  };
  lookIn(Number.POSITIVE_INFINITY);
  return () => cancelTimer();
}
