import type { Clock } from "../system/deps.ts";

/** A time by both clocks. */
export interface Moment {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** `Clock.elapsed`. */
  readonly elapsed: number;
}

export function momentOf(clock: Pick<Clock, "now" | "elapsed">): Moment {
  return { at: clock.now(), elapsed: clock.elapsed() };
}
