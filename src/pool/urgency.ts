import type { CallerClass } from "../auth/caller.ts";

/** The classes by their urgency: 0 is the most urgent. */
export const URGENCY: Readonly<Record<CallerClass, number>> = { interactive: 0, normal: 1, background: 2 };

/** Returns the less urgent of a caller's class and the one that a request asks for, if it asks for any. */
export function lowerOf(own: CallerClass, asked: CallerClass | undefined): CallerClass {
  return asked !== undefined && URGENCY[asked] > URGENCY[own] ? asked : own;
}
