import { describe, expect, test } from "bun:test";
import { type Caller, createCaller } from "../../src/auth/caller.ts";
import { type CallerFigures, figuresOf, figuresOfCaller } from "./support/figures.ts";
import { gpu, home } from "./support/hardware.ts";
import { BASELINE, type Policies, PRODUCT } from "./support/policies.ts";
import type { Range } from "./support/random.ts";
import { machines } from "./support/routing-loads.ts";
import { Simulation, type SimulationOptions } from "./support/simulation.ts";
import { arrive, keepOpen } from "./support/streams.ts";

const MINUTE_MS = 60_000;
/** A machine at home with four slots and no prompt cache, such as Ollama. */
const SMALL = home(0, { slots: 4, tokenMs: 0.6 });
/** Requests of usual sizes. */
const CHAT = { promptTokens: [500, 2000], outputTokens: [100, 400] } as const;

interface Crowd {
  readonly name: string;
  readonly open: number;
  readonly promptTokens: Range;
  readonly outputTokens: Range;
  readonly weight?: number;
}

function callerOf({ name, weight = 1 }: Pick<Crowd, "name" | "weight">): Caller {
  return { ...createCaller(name), weight };
}

/** Lets callers keep requests open beside a person who sends one now and then. */
function run(
  options: Omit<SimulationOptions, "policies">,
  policies: Policies,
  crowds: readonly Crowd[],
  minutes: number,
): Simulation {
  const simulation = new Simulation({ ...options, policies });
  for (const [at, crowd] of crowds.entries())
    keepOpen(simulation, crowd.open, { ...crowd, caller: callerOf(crowd) }, at + 1);
  arrive(simulation, 10_000, { ...CHAT, caller: callerOf({ name: "person" }) }, 99);
  simulation.run(minutes * MINUTE_MS);
  return simulation;
}

describe("a person beside a script that keeps sixty requests open on twelve slots", () => {
  const script: Crowd = { name: "script", open: 60, ...CHAT };
  const simulate = (policies: Policies): Simulation => run({ machines: machines(3, SMALL) }, policies, [script], 20);
  const before = simulate(BASELINE);
  const after = simulate(PRODUCT);

  test("waits no longer than a job takes and a second, where first come, first served makes it wait for the script", () => {
    expect(figuresOfCaller(before, "person").queueMs.p50).toBeGreaterThan(30_000);
    const { queueMs } = figuresOfCaller(after, "person");
    expect(queueMs.p95).toBeLessThanOrEqual(jobMs(after) + 1000);
    expect(queueMs.p50).toBeLessThan(1500);
  });

  test("costs the machines nothing of what they serve", () => {
    expect(figuresOf(after).finished / figuresOf(before).finished).toBeGreaterThan(0.98);
  });
});

/** The usual time of a job on its machine. */
function jobMs({ traces }: Simulation): number {
  const times = traces.flatMap(({ report }) => (report ? [report.durationMs - report.queuedMs] : []));
  return times.reduce((sum, ms) => sum + ms, 0) / times.length;
}

describe("two callers who always have jobs waiting get about the same of the machines", () => {
  const large = { machines: machines(2, gpu(0)) };
  const share = (simulation: Simulation, name: string): number => figuresOfCaller(simulation, name).share;
  const expectEven = (first: CallerFigures, second: CallerFigures): void => {
    for (const { share } of [first, second]) {
      expect(share).toBeGreaterThan(0.4);
      expect(share).toBeLessThan(0.6);
    }
  };

  test("if one sends long prompts and the other short ones", () => {
    const crowds = [
      { name: "documents", open: 128, promptTokens: [6000, 10_000], outputTokens: [50, 150] },
      { name: "chats", open: 64, promptTokens: [100, 500], outputTokens: [200, 600] },
    ] as const;
    expect(share(run(large, BASELINE, crowds, 10), "documents")).toBeGreaterThan(0.8);
    const after = run(large, PRODUCT, crowds, 10);
    expectEven(figuresOfCaller(after, "documents"), figuresOfCaller(after, "chats"));
    expect(figuresOfCaller(after, "person").firstTokenMs.p50).toBeLessThan(1000);
  });

  test("if one wants long answers and the other short ones", () => {
    const crowds = [
      { name: "long", open: 64, promptTokens: [500, 1500], outputTokens: [1000, 3000] },
      { name: "short", open: 64, promptTokens: [500, 1500], outputTokens: [50, 150] },
    ] as const;
    expect(share(run(large, BASELINE, crowds, 10), "long")).toBeGreaterThan(0.65);
    const after = run(large, PRODUCT, crowds, 10);
    expectEven(figuresOfCaller(after, "long"), figuresOfCaller(after, "short"));
    expect(figuresOfCaller(after, "person").firstTokenMs.p50).toBeLessThan(1000);
  });
});

test("a caller of four times the weight gets four times as much while both wait", () => {
  const crowds = [
    { name: "heavy", open: 16, weight: 4, promptTokens: [500, 1500], outputTokens: [50, 150] },
    { name: "light", open: 16, weight: 1, promptTokens: [500, 1500], outputTokens: [50, 150] },
  ] as const;
  const after = run({ machines: machines(1, SMALL) }, PRODUCT, crowds, 30);
  const [heavy, light] = [figuresOfCaller(after, "heavy"), figuresOfCaller(after, "light")];
  expect(heavy.finished / light.finished).toBeGreaterThan(3.6);
  expect(heavy.finished / light.finished).toBeLessThan(4.4);
});
