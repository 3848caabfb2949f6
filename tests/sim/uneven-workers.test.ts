import { describe, expect, test } from "bun:test";
import { quantile } from "../../bench/numbers.ts";
import { createCaller } from "../../src/auth/caller.ts";
import { gpu } from "./support/hardware.ts";
import type { MachinePlan } from "./support/machine.ts";
import { BASELINE, type Policies, PRODUCT } from "./support/policies.ts";
import { Simulation } from "./support/simulation.ts";
import { arrive } from "./support/streams.ts";
import { isFinished } from "./support/trace.ts";

const HOUR_MS = 3_600_000;
/** Requests that take two to eight seconds on an idle machine of full speed. */
const REQUESTS = { caller: createCaller("anybody"), promptTokens: [50, 150], outputTokens: [110, 440] } as const;

/** Seconds from each request to its whole answer. */
function answerTimes({ traces }: Simulation): number[] {
  return traces.flatMap(({ sentAt, endedAt }) => (endedAt === undefined ? [] : [(endedAt - sentAt) / 1000]));
}

describe("machines of full, half and a quarter of the speed", () => {
  const machines: readonly MachinePlan[] = [1, 0.5, 0.25].map((speed) => ({
    id: `speed ${speed}`,
    hardware: gpu(0, { slots: 8, speed }),
  }));
  const p95 = (policies: Policies, perSecond: number): number => {
    const simulation = new Simulation({ machines, policies });
    arrive(simulation, 1000 / perSecond, REQUESTS);
    simulation.run(HOUR_MS / 2);
    return quantile(answerTimes(simulation), 0.95);
  };

  test.each([0.6, 1.2])("get jobs by their measured speed, at %d jobs per second", (perSecond) => {
    expect(p95(BASELINE, perSecond)).toBeGreaterThan(24);
    expect(p95(PRODUCT, perSecond)).toBeLessThan(15);
  });

  test("share a heavy load such that nobody waits longer than before", () => {
    expect(p95(PRODUCT, 2.2)).toBeLessThan(p95(BASELINE, 2.2));
  });
});

describe("three machines that keep two models loaded and take twelve seconds to load another one", () => {
  const simulate = (policies: Policies, count: number, perSecond: number): Simulation => {
    const models = Array.from({ length: count }, (_, at) => `model ${at + 1}`);
    const machines = [1, 2, 3].map((at) => ({
      id: `w${at}`,
      hardware: gpu(0, { slots: 4 }),
      models,
      memory: { models: 2, loadMs: 12_000 },
    }));
    const simulation = new Simulation({ machines, policies });
    arrive(simulation, 1000 / perSecond, { ...REQUESTS, model: (random) => byPopularity(models, random) });
    simulation.run(4 * HOUR_MS);
    return simulation;
  };
  const loads = ({ machines }: Simulation): number =>
    machines.reduce((sum, { loader }) => sum + (loader?.loads ?? 0), 0);

  test("load each of three models a few times, and not with every third request", () => {
    const [before, after] = [simulate(BASELINE, 3, 0.5), simulate(PRODUCT, 3, 0.5)];
    expect(loads(before)).toBeGreaterThan(1000);
    expect(loads(after)).toBeLessThanOrEqual(30);
    expect(quantile(answerTimes(after), 0.95)).toBeLessThan(10);
  });

  test("serve five models far sooner", () => {
    const [before, after] = [simulate(BASELINE, 5, 0.5), simulate(PRODUCT, 5, 0.5)];
    expect(quantile(answerTimes(before), 0.5)).toBeGreaterThan(60);
    expect(quantile(answerTimes(after), 0.5)).toBeLessThan(10);
  });
});

/** Chooses a model: the second is wanted half as often as the first, the third a third as often, and so on. */
function byPopularity(models: readonly string[], random: number): string {
  const total = models.reduce((sum, _, at) => sum + 1 / (at + 1), 0);
  let left = random * total;
  for (const [at, model] of models.entries()) {
    left -= 1 / (at + 1);
    if (left <= 0) return model;
  }
  throw new Error("the random number is not below 1");
}

test("a worker that fails at once gets a few requests of a minute, where it got most of them", () => {
  const machines: readonly MachinePlan[] = [
    { id: "broken", hardware: gpu(0, { slots: 4 }), isBroken: true },
    { id: "healthy", hardware: gpu(0, { slots: 4 }) },
  ];
  const simulate = (policies: Policies): Simulation => {
    const simulation = new Simulation({ machines, policies });
    arrive(simulation, 300, { ...REQUESTS, outputTokens: [20, 60] });
    simulation.run(60_000);
    return simulation;
  };
  const share = ({ traces }: Simulation): number =>
    traces.filter(({ report }) => report?.status === 500).length / traces.length;
  expect(share(simulate(BASELINE))).toBeGreaterThan(0.7);
  const after = simulate(PRODUCT);
  expect(share(after)).toBeLessThanOrEqual(0.05);
  expect(quantile(answerTimes(after), 0.95)).toBeLessThan(3);
  expect(after.traces.filter(isFinished).length / after.traces.length).toBeGreaterThan(0.9);
});
