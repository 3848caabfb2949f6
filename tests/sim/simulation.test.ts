import { expect, test } from "bun:test";
import { converse } from "./support/conversations.ts";
import { BASELINE } from "./support/policies.ts";
import { ROUTING_LOADS } from "./support/routing-loads.ts";
import { Simulation } from "./support/simulation.ts";

function run(seed: number): Simulation {
  const { machines, clients } = ROUTING_LOADS["six agents on three small machines"];
  const simulation = new Simulation({ machines, policies: BASELINE });
  converse(simulation, clients, seed);
  simulation.run(5 * 60_000);
  return simulation;
}

test("a simulation is the same each time, and differs with its seed", () => {
  const story = (seed: number) =>
    run(seed).traces.map(({ sentAt, endedAt, report }) => [sentAt, endedAt, report?.claim?.worker.id]);
  const once = story(1);
  expect(once.length).toBeGreaterThan(50);
  expect(story(1)).toEqual(once);
  expect(story(2)).not.toEqual(once);
});

test("every request of a simulation waits, runs or has ended, and no machine has more than its slots", () => {
  const { pool, traces } = run(1);
  const open = traces.filter(({ endedAt }) => endedAt === undefined).length;
  expect(pool.queueLength + pool.busyTotal).toBe(open);
  for (const seat of pool.seats()) expect(seat.busy).toBeLessThanOrEqual(seat.capacity);
});
