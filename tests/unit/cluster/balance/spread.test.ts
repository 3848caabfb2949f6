import "../../../support/seed.ts";
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Spread } from "../../../../src/cluster/balance/spread.ts";

const HOUR_S = 3600;

/** Where a load balancer leads a worker: the place of a server. */
type Balancer = (counts: readonly number[], worker: number) => number;

const indexOfLeast = (counts: readonly number[]): number => counts.indexOf(Math.min(...counts));

const balancers = (random: () => number): Readonly<Record<string, Balancer>> => ({
  "the one with fewest": indexOfLeast,
  "any of them": ({ length }) => Math.floor(random() * length),
  "always the first": () => 0,
  "always the same for one worker": ({ length }, worker) => worker % length,
  "one of the first two, with fewest": (counts) => indexOfLeast(counts.slice(0, 2)),
});

interface SimWorker {
  readonly number: number;
  /** The server that it must not be told to leave again. */
  returnedTo: number | undefined;
}

/** Servers that look at their workers each second. Workers that are told to move arrive before the next second. */
class Simulation {
  readonly servers: SimWorker[][];
  readonly #spreads: readonly Spread[];
  readonly #lead: Balancer;
  #seconds = 0;
  moves = 0;

  constructor(counts: readonly number[], lead: Balancer) {
    let number = 0;
    this.servers = counts.map((count) =>
      Array.from({ length: count }, () => ({ number: number++, returnedTo: undefined })),
    );
    this.#spreads = counts.map(() => new Spread());
    this.#lead = lead;
  }

  get counts(): readonly number[] {
    return this.servers.map(({ length }) => length);
  }

  run(seconds: number): void {
    for (const end = this.#seconds + seconds; this.#seconds < end; this.#seconds += 1) {
      const before = this.counts;
      for (const [at, spread] of this.#spreads.entries()) {
        const wanted = spread.look(before[at] ?? 0, before.toSpliced(at, 1), this.#seconds * 1000);
        const told = (this.servers[at] ?? []).filter(({ returnedTo }) => returnedTo !== at).slice(0, wanted);
        spread.moved(told.length);
        for (const worker of told) this.#move(worker, at);
      }
    }
  }

  #move(worker: SimWorker, from: number): void {
    this.moves += 1;
    const to = this.#lead(this.counts, worker.number);
    const workers = this.servers[from] ?? [];
    workers.splice(workers.indexOf(worker), 1);
    worker.returnedTo = to === from ? from : undefined;
    this.servers[to]?.push(worker);
  }
}

describe("workers of several servers", () => {
  const counts = fc.array(fc.nat(120), { minLength: 2, maxLength: 6 });

  test("whose balancer chooses the server with fewest are spread within minutes, and then stay", () => {
    fc.assert(
      fc.property(counts, (start) => {
        const simulation = new Simulation(start, indexOfLeast);
        simulation.run(HOUR_S / 2);
        const { counts: spread, moves } = simulation;
        const mean = spread.reduce((sum, count) => sum + count, 0) / spread.length;
        const most = Math.max(...spread);
        if (most > 1.25 * mean) expect(most - Math.min(...spread)).toBeLessThanOrEqual(1);
        simulation.run(HOUR_S);
        expect(simulation.moves).toBe(moves);
      }),
      { numRuns: 50 },
    );
  });

  test("move a bounded number of times, however their balancer chooses", () => {
    fc.assert(
      fc.property(
        counts,
        fc.nat(4),
        fc.infiniteStream(fc.double({ min: 0, max: 0.999, noNaN: true })),
        (start, way, numbers) => {
          const lead = Object.values(balancers(() => numbers.next().value ?? 0))[way] ?? indexOfLeast;
          const simulation = new Simulation(start, lead);
          const workers = start.reduce((sum, count) => sum + count, 0);
          simulation.run(2 * HOUR_S);
          expect(simulation.counts.reduce((sum, count) => sum + count, 0)).toBe(workers);
          const before = simulation.moves;
          expect(before).toBeLessThanOrEqual(6 * workers);
          simulation.run(2 * HOUR_S);
          expect(simulation.moves - before).toBeLessThanOrEqual(2 * workers);
        },
      ),
      { numRuns: 50 },
    );
  });

  test("that are spread by chance are spread roughly", () => {
    let state = 1;
    const random = (): number => {
      state = (state * 48_271) % 2_147_483_647;
      return state / 2_147_483_647;
    };
    const simulation = new Simulation([300, 0, 0], balancers(random)["any of them"] ?? indexOfLeast);
    simulation.run(HOUR_S);
    expect(Math.max(...simulation.counts)).toBeLessThan(140);
  });
});

describe("a server", () => {
  test("that has up to a quarter more than the mean keeps its workers", () => {
    expect(new Spread().look(125, [75, 100], 0)).toBe(0);
    expect(new Spread().look(126, [74, 100], 0)).toBe(1);
  });

  test("moves one worker a second, or one per cent", () => {
    expect(new Spread().look(10, [0], 0)).toBe(1);
    expect(new Spread().look(1000, [0], 0)).toBe(10);
  });

  test("stops near the mean, and rests for ten minutes, then for twenty", () => {
    const spread = new Spread();
    for (let own = 20; own > 10; own -= 1) {
      expect(spread.look(own, [20 - own], 0)).toBe(1);
      spread.moved(1);
    }
    expect([spread.look(10, [10], 0), spread.isMoving]).toEqual([0, false]);
    expect(spread.look(20, [0], 599_999)).toBe(0);
    expect(spread.look(20, [0], 600_000)).toBe(1);
    expect(spread.look(10, [10], 600_000)).toBe(0);
    expect(spread.look(20, [0], 1_799_999)).toBe(0);
    expect(spread.look(20, [0], 1_800_000)).toBe(1);
  });

  test("gives up when twice as many as necessary were told to move in vain", () => {
    const spread = new Spread();
    let told = 0;
    for (let second = 0; second < 60; second += 1) {
      const count = spread.look(20, [0], second * 1000);
      spread.moved(count);
      told += count;
    }
    expect([told, spread.isMoving]).toEqual([20, false]);
  });

  test("waits for busy workers without giving up", () => {
    const spread = new Spread();
    for (let second = 0; second < 600; second += 1) expect(spread.look(20, [0], second * 1000)).toBe(1);
    expect(spread.isMoving).toBe(true);
  });

  test("whose surplus is a single worker keeps it", () => {
    expect(new Spread().look(1, [0, 0], 0)).toBe(0);
    expect(new Spread().look(2, [1, 1], 0)).toBe(0);
    expect(new Spread().look(3, [1, 1], 0)).toBe(1);
  });
});
