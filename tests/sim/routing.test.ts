import { describe, expect, test } from "bun:test";
import { converse } from "./support/conversations.ts";
import { type Figures, figuresOf } from "./support/figures.ts";
import { BASELINE, type Policies, PRODUCT } from "./support/policies.ts";
import { ROUTING_LOADS, type RoutingLoadName } from "./support/routing-loads.ts";
import { Simulation } from "./support/simulation.ts";

function run(name: RoutingLoadName, policies: Policies): Figures {
  const { machines, clients, minutes } = ROUTING_LOADS[name];
  const simulation = new Simulation({ machines, policies });
  converse(simulation, clients);
  simulation.run(minutes * 60_000);
  return figuresOf(simulation);
}

/** The figures of a load as multiples of those that least-loaded routing reaches. */
interface Comparison {
  readonly finished: number;
  readonly p95: number;
}

describe("routing by caches, beside least-loaded routing", () => {
  const known = new Map<RoutingLoadName, Comparison>();
  const compare = (name: RoutingLoadName): Comparison => {
    const found = known.get(name);
    if (found) return found;
    const [before, after] = [run(name, BASELINE), run(name, PRODUCT)];
    const finished = after.finished / before.finished;
    const comparison = { finished, p95: after.firstTokenMs.p95 / before.firstTokenMs.p95 };
    known.set(name, comparison);
    return comparison;
  };

  // Object.keys gives strings; these are the keys of ROUTING_LOADS.
  for (const name of Object.keys(ROUTING_LOADS) as RoutingLoadName[])
    test(`serves as much, and as soon: ${name}`, () => {
      const { finished, p95 } = compare(name);
      expect(finished).toBeGreaterThanOrEqual(0.97);
      expect(p95).toBeLessThanOrEqual(1.25);
    });

  test("serves forty coding agents nearly twice as much", () => {
    expect(compare("forty coding agents").finished).toBeGreaterThanOrEqual(1.9);
  });

  test("serves six agents on three machines of two slots a third more, although one job is half of a machine", () => {
    expect(compare("six agents on three small machines").finished).toBeGreaterThanOrEqual(1.3);
  });

  test("serves many customers with a long prompt each a third more", () => {
    expect(compare("a hundred and fifty customers with a prompt each").finished).toBeGreaterThanOrEqual(1.35);
  });
});
