import { describe, expect, test } from "bun:test";
import { createCaller } from "../../src/auth/caller.ts";
import { converse } from "./support/conversations.ts";
import { figuresOf } from "./support/figures.ts";
import { gpu } from "./support/hardware.ts";
import { BASELINE, type Policies, PRODUCT } from "./support/policies.ts";
import { machines, ROUTING_LOADS } from "./support/routing-loads.ts";
import { Simulation } from "./support/simulation.ts";
import { arrive, keepOpen } from "./support/streams.ts";
import type { Trace } from "./support/trace.ts";

// Each of these has made another router slower than one that looks at nothing but the number of requests.

const MINUTE_MS = 60_000;
const AGENTS = ROUTING_LOADS["forty coding agents"];
const STRANGER = createCaller("stranger");
const SMALL_REQUESTS = { caller: STRANGER, promptTokens: [500, 1500], outputTokens: [100, 300] } as const;

function workerOf({ report }: Trace): string | undefined {
  return report?.claim?.worker.id;
}

/** The part of requests that a worker got. */
function shareOf(worker: string, traces: readonly Trace[]): number {
  return traces.filter((trace) => workerOf(trace) === worker).length / traces.length;
}

/** The part of the prompt tokens of these requests that came from a cache. */
function cachedShare(traces: readonly Trace[]): number {
  const sum = (of: (trace: Trace) => number): number => traces.reduce((total, trace) => total + of(trace), 0);
  return sum(({ cost }) => cost?.cachedTokens ?? 0) / sum(({ cost }) => cost?.promptTokens ?? 0);
}

function withAgents(policies: Policies, change: (simulation: Simulation) => void = () => {}): Simulation {
  const simulation = new Simulation({ machines: AGENTS.machines, policies });
  converse(simulation, AGENTS.clients);
  change(simulation);
  simulation.run(6 * MINUTE_MS);
  return simulation;
}

describe("one worker that others keep full", () => {
  const flood = (simulation: Simulation): void => keepOpen(simulation, 60, { ...SMALL_REQUESTS, workerId: "w1" });
  const agents = (policies: Policies): readonly Trace[] =>
    withAgents(policies, flood).traces.filter(({ wish }) => wish.caller !== STRANGER);

  test("does not cost the clients of the other workers their caches", () => {
    const calm = cachedShare(withAgents(PRODUCT).traces);
    expect(cachedShare(agents(PRODUCT))).toBeGreaterThan(0.9 * calm);
    expect(cachedShare(agents(BASELINE))).toBeLessThan(0.75 * calm);
  });
});

describe("a worker whose cache is empty after a restart", () => {
  const restart = (simulation: Simulation): void =>
    simulation.at(2 * MINUTE_MS, () => simulation.connect({ id: "w1", hardware: gpu(400_000) }));

  test("does not attract all that no cache has", () => {
    const { traces } = withAgents(PRODUCT, (simulation) => {
      restart(simulation);
      arrive(simulation, 200, SMALL_REQUESTS);
    });
    const later = traces.filter(({ sentAt, report }) => report && sentAt > 2 * MINUTE_MS && sentAt < 3 * MINUTE_MS);
    const strangers = later.filter(({ wish }) => wish.caller === STRANGER);
    expect(strangers.length).toBeGreaterThan(200);
    expect(shareOf("w1", strangers)).toBeLessThan(0.5);
    expect(shareOf("w1", later)).toBeLessThan(0.4);
  });

  test("is used again, and the others keep their caches", () => {
    const [calm, restarted] = [withAgents(PRODUCT), withAgents(PRODUCT, restart)];
    const last = restarted.traces.filter(({ sentAt, report }) => report && sentAt > 4 * MINUTE_MS);
    expect(shareOf("w1", last)).toBeGreaterThan(0.1);
    expect(figuresOf(restarted).finished / figuresOf(calm).finished).toBeGreaterThan(0.95);
  });
});

test("a prompt that all requests share is spread over all workers", () => {
  const { machines: all, clients } = ROUTING_LOADS["one long prompt that all share"];
  const simulation = new Simulation({ machines: all, policies: PRODUCT });
  converse(simulation, clients);
  simulation.run(3 * MINUTE_MS);
  const ended = simulation.traces.filter(({ report }) => report);
  for (const { id } of all) {
    expect(shareOf(id, ended)).toBeGreaterThan(0.2);
    expect(shareOf(id, ended)).toBeLessThan(0.3);
  }
});

test("a worker whose cache is full of long prompts does not seem busy for that", () => {
  const simulation = new Simulation({ machines: machines(4, gpu(400_000)), policies: PRODUCT });
  const { system, ...clients } = AGENTS.clients;
  converse(simulation, { ...clients, system: { ...system, kinds: 1 }, people: 1 });
  arrive(simulation, 100, SMALL_REQUESTS);
  simulation.run(4 * MINUTE_MS);
  const strangers = simulation.traces.filter(({ wish, report }) => wish.caller === STRANGER && report);
  for (const { id } of AGENTS.machines) expect(shareOf(id, strangers)).toBeGreaterThan(0.2);
});

test("workers without a cache serve as much as with least-loaded routing, because none is expected to be warm", () => {
  const finished = (policies: Policies): number => {
    const simulation = new Simulation({ machines: machines(4, gpu(0)), policies });
    converse(simulation, AGENTS.clients);
    simulation.run(5 * MINUTE_MS);
    return figuresOf(simulation).finished;
  };
  expect(finished(PRODUCT) / finished(BASELINE)).toBeGreaterThan(0.97);
});
