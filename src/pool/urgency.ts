import type { CallerClass } from "../auth/caller.ts";

/** The classes, the most urgent first. */
export const CLASSES = ["interactive", "normal", "background"] as const satisfies readonly CallerClass[];

/** The urgency of each class: its index in `CLASSES`, so 0 is the most urgent. */
export const URGENCY: Readonly<Record<CallerClass, number>> = { interactive: 0, normal: 1, background: 2 };

/** Returns the less urgent of a caller's class and the one that a request asks for, if it asks for any. */
export function lowerOf(own: CallerClass, asked: CallerClass | undefined): CallerClass {
  return asked !== undefined && URGENCY[asked] > URGENCY[own] ? asked : own;
}
