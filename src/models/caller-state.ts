import type { CallerClass } from "../auth/caller.ts";
import type { RegisteredJob } from "../pool/jobs-registry.ts";

/** One caller's part of a pool, in the State API. */
export interface CallerState {
  /** The caller's name as in logs, `api-key:2` or `role:reader`; `(other)` for all that are not listed one by one. */
  readonly name: string;
  /** The class that the caller's jobs have unless they are lowered; null for `(other)`. */
  readonly class: CallerClass | null;
  readonly waiting: number;
  readonly running: number;
  /** How long the oldest of its waiting jobs has existed; null where none waits. */
  readonly oldest_wait_ms: number | null;
}

/** The running and waiting jobs of one caller. */
export interface CallerJobs {
  readonly class: CallerClass;
  waiting: number;
  running: number;
  oldestWaitMs: number | undefined;
}

/** How many callers are listed one by one. */
const MAX_LISTED = 20;

/** The name for all further callers. No caller has it: names begin with a word and a colon, or are `anonymous`. */
export const OTHER_CALLERS = "(other)";

/** Adds a job to the counts of its caller. `now` is `Clock.elapsed`. */
export function countForCaller(byCaller: Map<string, CallerJobs>, job: RegisteredJob, now: number): void {
  const { isWaiting, ticket } = job;
  const { caller, arrivedAt } = ticket;
  const counts = byCaller.get(caller.name) ?? { class: caller.class, waiting: 0, running: 0, oldestWaitMs: undefined };
  byCaller.set(caller.name, counts);
  counts[isWaiting ? "waiting" : "running"] += 1;
  // Jobs are listed from the oldest on, so the first one that waits has waited longest.
  if (isWaiting) counts.oldestWaitMs ??= now - arrivedAt;
}

/** Lists the callers with the most waiting jobs, then with the most running ones, and the rest as `(other)`. */
export function toCallerStates(byCaller: ReadonlyMap<string, CallerJobs>): readonly CallerState[] {
  const all = Array.from(byCaller, ([name, jobs]) => toCallerState(name, jobs));
  all.sort((a, b) => b.waiting - a.waiting || b.running - a.running || (a.name < b.name ? -1 : 1));
  const rest = all.slice(MAX_LISTED);
  return rest.length === 0 ? all : [...all.slice(0, MAX_LISTED), toRest(rest)];
}

/** The callers with the most jobs waiting for one model, as its workers' part of the State API. */
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
  return [...all.slice(0, MAX_FOR_MODEL), { caller: OTHER_CALLERS, waiting: sum(rest, "waiting") }];
}

const NOBODY: readonly WaitingCaller[] = Object.freeze([]);

function toCallerState(name: string, { waiting, running, oldestWaitMs, ...jobs }: CallerJobs): CallerState {
  const oldest_wait_ms = oldestWaitMs === undefined ? null : Math.round(oldestWaitMs);
  return { name, class: jobs.class, waiting, running, oldest_wait_ms };
}

function toRest(rest: readonly CallerState[]): CallerState {
  const waits = rest.flatMap(({ oldest_wait_ms }) => oldest_wait_ms ?? []);
  return {
    name: OTHER_CALLERS,
    class: null,
    waiting: sum(rest, "waiting"),
    running: sum(rest, "running"),
    oldest_wait_ms: waits.length === 0 ? null : Math.max(...waits),
  };
}

function sum<K extends string>(rows: readonly Readonly<Record<K, number>>[], field: K): number {
  return rows.reduce((total, row) => total + row[field], 0);
}
