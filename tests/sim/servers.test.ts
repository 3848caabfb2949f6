import { describe, expect, test } from "bun:test";
import { createCaller } from "../../src/auth/caller.ts";
import { PoolCluster } from "../support/pool-cluster.ts";
import { createRandom } from "./support/random.ts";

// Ten servers with 40 slots each, on which half of all clients use the first one, compared with one server that has all
// slots. Each server knows the load of the others as it was told, each 250 ms and when its last slot is taken.

const SERVERS = 10;
const SLOTS = 400;
const JOB_MS = 4000;
const RUN_MS = 2 * 60_000;

interface Load {
  /** The part of the slots that the jobs need. */
  readonly use: number;
  readonly servers?: number;
  readonly hasOffers?: boolean;
  /** Milliseconds for a message in one direction. */
  readonly delayMs?: number;
}

/** Runs jobs of random lengths that arrive at random times: the same ones for the same use. */
function run({ use, servers = SERVERS, hasOffers = true, delayMs = 2 }: Load) {
  const random = createRandom(8);
  const draw = (mean: number): number => -Math.log(1 - random()) * mean;
  const cluster = new PoolCluster({ servers, delayMs, random: createRandom(99), hasOffers });
  for (let at = 0; at < servers; at += 1) cluster.connect(at, `w${at}`, SLOTS / servers);
  const arrive = (): void => {
    const [isAtFirst, place] = [random() < 0.5, random()];
    cluster.send({
      server: isAtFirst ? 0 : Math.floor(place * servers),
      ms: draw(JOB_MS),
      caller: createCaller("all"),
    });
    cluster.clock.after(draw(JOB_MS / (use * SLOTS)), arrive);
  };
  arrive();
  cluster.clock.advance(RUN_MS);
  const { runs } = cluster;
  const waits = runs.flatMap(({ report }) => (report ? [report.queuedMs] : [])).sort((a, b) => a - b);
  const count = (of: (server: (typeof cluster.servers)[number]) => number): number =>
    cluster.servers.reduce((sum, server) => sum + of(server), 0);
  return {
    failed: runs.filter(({ ends: [end] }) => end && end.kind !== "complete").length,
    refusedPerJob: count(({ refusals }) => refusals) / runs.length,
    meanMs: waits.reduce((sum, ms) => sum + ms, 0) / waits.length,
    p99Ms: waits[Math.floor(waits.length * 0.99)] ?? 0,
    offered: count(({ offers }) => offers?.outcomes.taken ?? 0),
    inVain: count(({ offers }) => (offers?.outcomes.declined ?? 0) + (offers?.outcomes.late ?? 0)),
  };
}

let alone: ReturnType<typeof run> | undefined;
/** The results of one server that has all slots, which two tests compare with. */
function runAlone(): ReturnType<typeof run> {
  alone ??= run({ use: 0.97, servers: 1 });
  return alone;
}

describe("ten servers of which one has half of the clients", () => {
  test("make few claims that are refused while a tenth of the slots is free, and nobody waits to speak of", () => {
    const { failed, refusedPerJob, meanMs } = run({ use: 0.9 });
    expect(failed).toBe(0);
    expect(refusedPerJob).toBeLessThanOrEqual(0.03);
    expect(meanMs).toBeLessThan(20);
  });

  test("make jobs wait about as long as one server would when nearly all slots are used", () => {
    const one = runAlone();
    const many = run({ use: 0.97 });
    expect(many.failed).toBe(0);
    expect(many.refusedPerJob).toBeLessThanOrEqual(0.1);
    expect(many.meanMs).toBeLessThanOrEqual(1.3 * one.meanMs);
    expect(many.p99Ms).toBeLessThanOrEqual(1.3 * one.p99Ms);
    expect(many.inVain).toBeLessThanOrEqual(0.1 * many.offered);
    // Without offers, jobs at the first server wait for long while others have free slots now and then.
    expect(run({ use: 0.97, hasOffers: false }).p99Ms).toBeGreaterThan(1.3 * many.p99Ms);
  });

  test("in far regions make jobs wait for little longer than messages take", () => {
    const one = runAlone();
    const far = run({ use: 0.97, delayMs: 80 });
    expect(far.failed).toBe(0);
    expect(far.meanMs).toBeLessThanOrEqual(1.3 * one.meanMs + 4 * 80);
    expect(far.inVain).toBeLessThanOrEqual(0.2 * far.offered);
  });
});
