import type { Demand } from "../../directory.ts";
import type { QueueHost } from "../../queue-policy.ts";
import { URGENCY } from "../../urgency.ts";
import type { Group, Row } from "./row.ts";

/** After so many milliseconds without a slot, a flow that waits counts as one class more urgent until it gets one. */
export const AGING_MS = 30_000;

/** The part of a model's slots that background jobs leave free, unless they have waited for `AGING_MS`. */
const RESERVE = 0.25;

export const BACKGROUND = URGENCY.background;

/** Whether a background job that has waited since `waitsSince` may use the slots that others leave free. */
export function hasAged(waitsSince: number, now: number): boolean {
  return now - waitsSince >= AGING_MS;
}

/** Whether background jobs may take one more slot for a demand. With a single slot, they may take it. */
export function hasShare(host: QueueHost, demand: Demand): boolean {
  const { busy, slots } = host.loadOf(demand);
  return busy < Math.max(1, Math.floor((1 - RESERVE) * slots));
}

/** Finds the background flow of a group that has waited longest for a slot, if long enough that it is not held back. */
export function longestHeld(group: Group, now: number): Row | undefined {
  let longest: Row | undefined;
  for (const row of group.rows) {
    const { urgency, member } = row.flow;
    if (urgency !== BACKGROUND || member.isAtLimit || !hasAged(row.waitsSince, now)) continue;
    if (!longest || row.waitsSince < longest.waitsSince) longest = row;
  }
  return longest;
}

/**
 * Chooses among the fairest rows of each class. Waiting makes a row more urgent than its class, but never brings it before
 * another row of its own class: a caller with a long queue of old tickets must not pass one who has just come. Of equally
 * urgent rows, the one that has waited longest for that urgency is first.
 */
export function mostUrgent(rows: readonly (Row | undefined)[], now: number): Row | undefined {
  let best: Row | undefined;
  for (const row of rows) if (row && (!best || isMoreUrgent(row, best, now))) best = row;
  return best;
}

function isMoreUrgent(a: Row, b: Row, now: number): boolean {
  const difference = urgencyOf(a, now) - urgencyOf(b, now);
  return difference === 0 ? since(a) < since(b) : difference < 0;
}

function urgencyOf({ flow, waitsSince }: Row, now: number): number {
  return Math.max(0, flow.urgency - Math.floor((now - waitsSince) / AGING_MS));
}

function since({ flow, waitsSince }: Row): number {
  return waitsSince + flow.urgency * AGING_MS;
}
