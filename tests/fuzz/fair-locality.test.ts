import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { MAX_PASSES } from "../../src/pool/policies/fair/locality.ts";
import { type FairJob, FairRig, type FairRun, member } from "../support/fair-rig.ts";
import { times } from "../support/times.ts";

// What holds although a ticket may go before its turn because a worker has its prompt in its cache.

const MAX_COST = 3000;
const work = fc.record({ cost: fc.integer({ min: 1, max: MAX_COST }), warmOn: fc.constantFrom(undefined, 0, 1) });
const load = fc.record({
  xs: fc.array(work, { minLength: 30, maxLength: 60 }),
  ys: fc.array(work, { minLength: 30, maxLength: 60 }),
  slots: fc.integer({ min: 1, max: 3 }),
});

function setUp(slots: number) {
  const rig = new FairRig();
  const sessions = ["v", "w"].map((worker) => rig.connect(worker, slots));
  // The jobs that begin while nothing waits are free.
  for (let at = 0; at < 2 * slots; at += 1) rig.start({ caller: member("first"), cost: 2 + at });
  const jobsOf = (
    name: string,
    weight: number,
    works: readonly { cost: number; warmOn: number | undefined }[],
  ): FairJob[] =>
    works.map(({ cost, warmOn }) => ({
      caller: member(name, { tenant: "t", weight }),
      cost,
      warmOn: sessions[warmOn ?? -1]?.id,
    }));
  return { rig, jobsOf };
}

describe("with workers that are warm for some of the jobs", () => {
  test.each([1, 4])("two callers who wait all the time, %d to 1, receive service by their weights", (weight) => {
    fc.assert(
      fc.property(load, ({ xs, ys, slots }) => {
        const { rig, jobsOf } = setUp(slots);
        rig.add([...jobsOf("x", weight, xs), ...jobsOf("y", 1, ys)]);
        // The bound without warm workers, and one job more for the flow that goes before its turn.
        const bound = MAX_COST * (1 / weight + 1) + (2 * slots + 1) * 2 * MAX_COST;
        rig.onEvent = () => {
          if (rig.waitingOf("x") === 0 || rig.waitingOf("y") === 0) return;
          expect(Math.abs(rig.serviceOf("x") / weight - rig.serviceOf("y"))).toBeLessThanOrEqual(bound);
        };
        rig.clock.advance(1_000_000);
        expect(rig.granted).toHaveLength(2 * slots + xs.length + ys.length);
      }),
      { numRuns: times(40) },
    );
  });

  test("each job of a caller is passed over a few times at most, and every job is served", () => {
    fc.assert(
      fc.property(load, ({ xs, slots }) => {
        const { rig, jobsOf } = setUp(slots);
        rig.add(jobsOf("x", 1, xs));
        rig.clock.advance(1_000_000);
        const served = rig.granted.filter(({ job }) => job.caller.name === "x");
        expect(served).toHaveLength(xs.length);
        const place = (run: FairRun): number => run.ticket.number;
        for (const [at, run] of served.entries()) {
          const passedBy = served.slice(0, at).filter((other) => place(other) > place(run)).length;
          expect(passedBy).toBeLessThanOrEqual(MAX_PASSES);
        }
      }),
      { numRuns: times(60) },
    );
  });
});

test("a slot that becomes free goes to the ticket whose prompt its worker has, and the other ticket to the other worker", () => {
  const { rig, jobsOf } = setUp(1);
  const [first, second] = [
    { cost: 100, warmOn: 1 },
    { cost: 100, warmOn: 0 },
  ];
  rig.add(jobsOf("x", 1, [first]));
  rig.add(jobsOf("y", 1, [second]));
  rig.clock.advance(1000);
  const routes = rig.granted.slice(2).map(({ job, workerId }) => [job.caller.name, workerId]);
  expect(routes).toEqual([
    ["y", "v"],
    ["x", "w"],
  ]);
});
