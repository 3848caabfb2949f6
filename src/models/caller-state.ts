import type { CallerClass } from "../auth/caller.ts";
import { type FlowFacts, OTHER_FLOWS } from "../pool/flow-facts.ts";

/** The jobs of one caller, class and end user, in the State API. */
export interface CallerState {
  /** The caller's name as in logs, `api-key:2` or `role:reader`; `(other)` for all that are not listed one by one. */
  readonly name: string;
  /** A digest of the user behind the caller's requests, where one is named; null where none is. */
  readonly end_user: string | null;
  /** Null for `(other)`. */
  readonly class: CallerClass | null;
  readonly waiting: number;
  /** How many of its waiting jobs are held back by a limit of its key, not by busy workers. */
  readonly held: number;
  /** The name of that limit, as `parallel` or `requests_per_minute`; null where none is held back. */
  readonly limit: string | null;
  readonly running: number;
  /** How long the oldest of its waiting jobs has existed; null where none waits. */
  readonly oldest_wait_ms: number | null;
  /** Its part of the cost of all jobs that ended in the last minute, from 0 to 1. */
  readonly share: number;
  /** The part that its weight alone would give it among all that are listed; null for `(other)`. */
  readonly fair_share: number | null;
}

/** Describes who has jobs in a pool, in the pool's order: those who wait most first. */
export function toCallerStates(flows: readonly FlowFacts[]): readonly CallerState[] {
  const parts = partsOf(flows);
  return flows.map((flow) => {
    const isOther = flow.caller === OTHER_FLOWS;
    return {
      name: flow.caller,
      end_user: flow.endUser ?? null,
      class: isOther ? null : flow.class,
      waiting: flow.waiting,
      held: flow.held ?? 0,
      limit: flow.limit ?? null,
      running: flow.running,
      oldest_wait_ms: flow.waiting === 0 ? null : Math.round(flow.oldestWaitMs),
      share: thousandths(flow.share),
      fair_share: isOther ? null : thousandths(parts.get(flow) ?? 0),
    };
  });
}

/** Divides the whole among tenants, a tenant's part among its callers by weight, and a caller's part among its flows. */
function partsOf(flows: readonly FlowFacts[]): ReadonlyMap<FlowFacts, number> {
  const parts = new Map<FlowFacts, number>();
  const tenants = Map.groupBy(
    flows.filter(({ caller }) => caller !== OTHER_FLOWS),
    ({ tenant }) => tenant,
  );
  for (const ofTenant of tenants.values()) {
    const callers = Map.groupBy(ofTenant, ({ caller }) => caller);
    const weightOf = (own: readonly FlowFacts[]): number => own[0]?.weight ?? 1;
    const total = Array.from(callers.values(), weightOf).reduce((sum, weight) => sum + weight, 0);
    for (const own of callers.values())
      for (const flow of own) parts.set(flow, weightOf(own) / total / own.length / tenants.size);
  }
  return parts;
}

function thousandths(part: number): number {
  return Math.round(part * 1000) / 1000;
}

/** A caller with jobs that wait for one model, in the State API. */
export interface WaitingCaller {
  readonly caller: string;
  readonly waiting: number;
}

/** How many callers are named for each model. There may be thousands of models. */
const MAX_FOR_MODEL = 3;

/** Lists the callers that wait for a model, most jobs first, and the rest as `(other)`. */
export function toWaitingCallers(waitingBy: ReadonlyMap<string, number> | undefined): readonly WaitingCaller[] {
  if (waitingBy === undefined || waitingBy.size === 0) return NOBODY;
  const all = Array.from(waitingBy, ([caller, waiting]) => ({ caller, waiting }));
  all.sort((a, b) => b.waiting - a.waiting || (a.caller < b.caller ? -1 : 1));
  const rest = all.slice(MAX_FOR_MODEL);
  if (rest.length === 0) return all;
  const waiting = rest.reduce((sum, each) => sum + each.waiting, 0);
  return [...all.slice(0, MAX_FOR_MODEL), { caller: OTHER_FLOWS, waiting }];
}

const NOBODY: readonly WaitingCaller[] = Object.freeze([]);
