import { createCaller } from "../src/auth/caller.ts";
import { NONE_EXCLUDED } from "../src/pool/excluded.ts";
import { FairQueue } from "../src/pool/policies/fair/fair-queue.ts";
import type { OpenSeat } from "../src/pool/queue-policy.ts";
import type { Work } from "../src/pool/seat.ts";
import type { JobTicket } from "../src/pool/ticket.ts";
import { systemClock } from "../src/system/clock.ts";

/** Jobs of each key that wait, and jobs that run at once. */
const WAITING_EACH = 3;
const RUNNING = 8;

const SEAT: OpenSeat = { lines: ["worker w", "model m:latest", "alias m:latest"], serves: () => true };
const DEMAND = { model: "m", exact: false, excluded: NONE_EXCLUDED };

/** Microseconds per job in the fair queue, one value per round: for its grant, its end, and the arrival of the next one. */
export interface GrantCosts {
  readonly keys: number;
  readonly us: readonly number[];
}

/** Measures the fair queue in this process, with different numbers of keys waiting. The numbers take turns. */
export function measureGrants(keyCounts: readonly number[], rounds: number, jobs: number): readonly GrantCosts[] {
  const subjects = keyCounts.map((keys) => ({ keys, run: createSubject(keys), us: [] as number[] }));
  for (let round = 0; round <= rounds; round += 1) {
    for (const { run, us } of subjects) {
      const startedAt = Bun.nanoseconds();
      run(jobs);
      if (round > 0) us.push((Bun.nanoseconds() - startedAt) / jobs / 1000);
    }
  }
  return subjects;
}

/** Returns a function that runs jobs through a queue in which so many keys wait all the time. */
function createSubject(keys: number): (jobs: number) => void {
  const host = { wake: () => {}, refuse: () => {}, loadOf: () => ({ busy: 0, slots: RUNNING }) };
  const costOf = ({ output }: Work): number => output;
  const queue = new FairQueue({ capacity: Number.POSITIVE_INFINITY, clock: systemClock, costOf }, host);
  const callers = Array.from({ length: Math.max(1, keys) }, (_, at) => createCaller(`api-key:${at}`));
  const running: JobTicket[] = [];
  let number = 0;
  const issue = (caller = callers[0] ?? createCaller("none")): JobTicket => {
    number += 1;
    const ticket = { number, caller, class: caller.class, endUser: undefined, arrivedAt: number, demand: DEMAND };
    return { ...ticket, wasAccepted: false, expiresAt: undefined };
  };
  const end = (ticket: JobTicket | undefined): void => {
    // Costs that differ, so that the order among the keys changes all the time.
    const output = 500 + ((number * 7919) % 1000);
    const work: Work = { outcome: "completed", error: undefined, runningMs: 1, usage: undefined, output };
    if (ticket) queue.end(ticket, work, number);
  };
  if (keys === 0)
    return (jobs) => {
      for (let at = 0; at < jobs; at += 1) {
        const ticket = issue();
        if (queue.mayBegin(ticket, number)) queue.begin(ticket, SEAT, number);
        end(ticket);
      }
    };
  for (let at = 0; at < WAITING_EACH; at += 1) for (const caller of callers) queue.join(issue(caller), number);
  return (jobs) => {
    for (let at = 0; at < jobs; at += 1) {
      const ticket = queue.next(SEAT, number) as JobTicket; // All tickets here are.
      queue.leave(ticket);
      queue.begin(ticket, SEAT, number);
      running.push(ticket);
      if (running.length > RUNNING) end(running.shift());
      queue.join(issue(ticket.caller), number);
    }
  };
}
