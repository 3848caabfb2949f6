import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Caller } from "../../src/auth/caller.ts";
import { type FairJob, FairRig, type FairRun, jobsOf, member } from "../support/fair-rig.ts";
import { times } from "../support/times.ts";

// What the fair queue promises, on a real pool with a fake clock, for random jobs.

const CALLERS: readonly Caller[] = [
  member("x"),
  member("y", { tenant: "x", weight: 4 }),
  member("z", { tenant: "x" }),
  member("person", { class: "interactive" }),
  member("batch", { class: "background" }),
];

const slots = fc.integer({ min: 1, max: 6 });

const job: fc.Arbitrary<FairJob> = fc.record({
  caller: fc.constantFrom(...CALLERS),
  cost: fc.integer({ min: 1, max: 5000 }),
  arrivesAt: fc.integer({ min: 0, max: 20_000 }),
  model: fc.constantFrom("m", "m", "n"),
  endUser: fc.constantFrom(undefined, undefined, "u", "v"),
});

interface Load {
  readonly jobs: readonly FairJob[];
  readonly slots: number;
  readonly others: number;
}

const load: fc.Arbitrary<Load> = fc.record({
  jobs: fc.array(job, { maxLength: 60 }),
  slots,
  others: fc.integer({ min: 0, max: 3 }),
});

/** Runs jobs to their end on a worker of both models, and on some workers of one. */
function play({ jobs, slots: count, others }: Load, onEvent: (rig: FairRig) => void = () => {}): FairRig {
  const rig = new FairRig();
  rig.connect("both", count, ["m", "n"]);
  for (let at = 0; at < others; at += 1) rig.connect(`w${at}`, 1 + at, ["m"]);
  rig.onEvent = () => onEvent(rig);
  rig.add(jobs);
  rig.clock.advance(1_000_000);
  return rig;
}

const laneOf = ({ job: { caller, model, endUser } }: FairRun): string => `${caller.name} ${model} ${endUser}`;

describe("for any jobs of several callers, classes, models and end users, the fair queue", () => {
  test("serves each job once, leaves no slot free that a waiting job may have, and keeps the order within a flow", () => {
    fc.assert(
      fc.property(load, (given) => {
        const rig = play(given, (now) => expect(now.forgotten()).toEqual([]));
        expect(rig.granted).toHaveLength(given.jobs.length);
        expect(new Set(rig.granted).size).toBe(given.jobs.length);
        const last = new Map<string, number>();
        for (const run of rig.granted) {
          expect(run.ticket.number).toBeGreaterThan(last.get(laneOf(run)) ?? 0);
          last.set(laneOf(run), run.ticket.number);
        }
        expect([rig.pool.queueLength, rig.pool.busyTotal, rig.clock.pending]).toEqual([0, 0, 0]);
      }),
      { numRuns: times(100) },
    );
  });

  test("decides the same each time", () => {
    const orderOf = (given: Load): number[] => play(given).granted.map(({ ticket }) => ticket.number);
    fc.assert(
      fc.property(load, (given) => expect(orderOf(given)).toEqual(orderOf(given))),
      { numRuns: times(50) },
    );
  });

  test("gives each job that waits for one model its own place", () => {
    fc.assert(
      fc.property(load, (given) => {
        const jobs = given.jobs.map((each) => ({ ...each, model: "m" }));
        play({ ...given, jobs, others: 0 }, (rig) => {
          const waiting = rig.runs.filter(({ wait }) => wait !== undefined);
          const places = waiting.map(({ wait }) => wait?.position() ?? 0).sort((a, b) => a - b);
          expect(places).toEqual(waiting.map((_, at) => at + 1));
        });
      }),
      { numRuns: times(50) },
    );
  });

  test("forgets everyone a minute after the last job", () => {
    fc.assert(
      fc.property(load, (given) => {
        const rig = play(given);
        rig.start({ caller: member("last"), cost: 1 });
        rig.clock.advance(1);
        // Only the last caller is remembered, for the share of its service in the last minute.
        expect(rig.remembered).toBe(1);
        expect(rig.pool.flows().map(({ caller }) => caller)).toEqual(["last"]);
      }),
      { numRuns: times(50) },
    );
  });
});

/**
 * The most by which the service of two flows may differ that both wait all the time, divided by their weights: a job of each
 * that is too much, and for each slot a running job that was charged too much or too little, or is not charged yet.
 */
function boundOf(maxCost: number, weights: readonly number[], slotCount: number): number {
  const parts = weights.map((weight) => 1 / weight);
  const first = 1000; // The estimate before any job of a model has ended.
  const maxError = Math.max(first, maxCost);
  return maxCost * parts.reduce((sum, part) => sum + part, 0) + slotCount * (maxError + maxCost) * Math.max(...parts);
}

const MAX_COST = 3000;
const costs = fc.array(fc.integer({ min: 1, max: MAX_COST }), { minLength: 40, maxLength: 100 });

describe("two callers who wait all the time", () => {
  test.each([
    [1, 1],
    [4, 1],
    [1, 2],
  ] as const)("receive service by their weights, %d to %d, within the bound", (wx, wy) => {
    fc.assert(
      fc.property(costs, costs, slots, (xs, ys, count) => {
        const [x, y] = [member("x", { tenant: "t", weight: wx }), member("y", { tenant: "t", weight: wy })];
        const rig = new FairRig();
        rig.connect("w", count);
        const bound = boundOf(MAX_COST, [wx, wy], count);
        // The jobs that begin while nothing waits are free.
        rig.add(jobsOf(member("first"), count, 1));
        rig.add([...xs.map((cost) => ({ caller: x, cost })), ...ys.map((cost) => ({ caller: y, cost }))]);
        rig.onEvent = () => {
          if (rig.waitingOf("x") === 0 || rig.waitingOf("y") === 0) return;
          expect(Math.abs(rig.serviceOf("x") / wx - rig.serviceOf("y") / wy)).toBeLessThanOrEqual(bound);
        };
        rig.clock.advance(1_000_000);
        expect(rig.granted).toHaveLength(count + xs.length + ys.length);
      }),
      { numRuns: times(40) },
    );
  });
});

describe("a caller that has been idle", () => {
  test("gets its share from its first job on, and no more than that", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 0, max: 200_000 }), (count, arrivesAt) => {
        const rig = new FairRig();
        rig.connect("w", count);
        rig.add(jobsOf(member("heavy"), 400, 1000));
        rig.add(jobsOf(member("late"), 40, 1000, { arrivesAt: arrivesAt % 60_000 }));
        rig.clock.advance(1_000_000);
        const from = rig.granted.findIndex(({ job }) => job.caller.name === "late");
        const late = rig.granted.slice(from, from + 40).filter(({ job }) => job.caller.name === "late");
        expect(late.length).toBeGreaterThanOrEqual(20 - count);
        expect(late.length).toBeLessThanOrEqual(20 + count);
      }),
      { numRuns: times(40) },
    );
  });
});

describe("with a full queue", () => {
  test("a caller with less than its share of the places is never refused, and nobody who was accepted is", () => {
    const ask = fc.record({
      who: fc.nat({ max: 4 }),
      model: fc.constantFrom("m", "gone"),
      ends: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(ask, { maxLength: 80 }), fc.integer({ min: 1, max: 12 }), (asks, capacity) => {
        const rig = new FairRig({ capacity });
        const gone = rig.connect("v", 1, ["gone"]);
        rig.connect("w", 2);
        gone.vanish();
        const callers = ["a", "b", "c", "d", "e"].map((name) => member(name));
        for (const { who, model, ends } of asks) {
          const caller = callers[who] ?? member("a");
          const waiting = rig.waitingOf(caller.name);
          const flows = new Set(rig.runs.flatMap(({ wait, job }) => (wait ? [job.caller.name] : []))).add(caller.name);
          const run = rig.start({ caller, model, cost: 1000 });
          expect(rig.pool.queueLength).toBeLessThanOrEqual(capacity);
          if (run.fault) expect(waiting + 1).toBeGreaterThanOrEqual(capacity / flows.size);
          expect(rig.runs.filter(({ fault, grantedAt }) => fault && grantedAt !== undefined)).toEqual([]);
          if (ends) rig.clock.advance(1000);
        }
      }),
      { numRuns: times(100) },
    );
  });
});
