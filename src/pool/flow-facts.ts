import type { CallerClass } from "../auth/caller.ts";

/** A plain copy of one flow for the dashboard: the jobs of one caller, class and end user. */
export interface FlowFacts {
  /** The caller's name; `(other)` for the sum of the flows that are not listed. */
  readonly caller: string;
  readonly tenant: string;
  /** A digest that identifies the person behind the caller; undefined if the requests name none. */
  readonly endUser: string | undefined;
  readonly class: CallerClass;
  readonly weight: number;
  readonly waiting: number;
  /** How many of those that wait are held back by a limit of their key. Absent: none. */
  readonly held?: number;
  /** The name of that limit; absent where none is held back. */
  readonly limit?: string | undefined;
  readonly running: number;
  /** Milliseconds since the arrival of the ticket that waits for longest; 0 if none waits. */
  readonly oldestWaitMs: number;
  /** The flow's part of the cost of all jobs that ended in the last minute, from 0 to 1. */
  readonly share: number;
}

/** The most flows that are listed one by one: those with most jobs waiting, then running, then with the largest share. */
export const MAX_LISTED_FLOWS = 50;

/** The name under which the flows beyond `MAX_LISTED_FLOWS` are summed up. No caller can have it. */
export const OTHER_FLOWS = "(other)";

/** Sorts flows for display, and sums up those that are too many. */
export function listFlows(all: readonly FlowFacts[]): readonly FlowFacts[] {
  const sorted = [...all].sort(byNeed);
  if (sorted.length <= MAX_LISTED_FLOWS) return sorted;
  const rest = sorted.slice(MAX_LISTED_FLOWS);
  const sum = (of: (flow: FlowFacts) => number): number => rest.reduce((total, flow) => total + of(flow), 0);
  const held = sum((flow) => flow.held ?? 0);
  return [
    ...sorted.slice(0, MAX_LISTED_FLOWS),
    {
      caller: OTHER_FLOWS,
      tenant: OTHER_FLOWS,
      endUser: undefined,
      class: "normal",
      weight: 1,
      waiting: sum(({ waiting }) => waiting),
      ...(held > 0 ? { held } : {}),
      running: sum(({ running }) => running),
      oldestWaitMs: Math.max(...rest.map(({ oldestWaitMs }) => oldestWaitMs)),
      share: sum(({ share }) => share),
    },
  ];
}

function byNeed(a: FlowFacts, b: FlowFacts): number {
  return b.waiting - a.waiting || b.running - a.running || b.share - a.share || (a.caller < b.caller ? -1 : 1);
}
