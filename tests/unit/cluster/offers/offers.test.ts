import { describe, expect, test } from "bun:test";
import { type Caller, createCaller } from "../../../../src/auth/caller.ts";
import { member } from "../../../support/fair-rig.ts";
import { PoolCluster } from "../../../support/pool-cluster.ts";

const JOB_MS = 1000;

/** Servers of which only the last has a worker, whose slots are all taken for a second. */
function full(servers: number, slots = 1): PoolCluster {
  const cluster = new PoolCluster({ servers, random: () => 0.5 });
  cluster.connect(servers - 1, "w", slots);
  for (let each = 0; each < slots; each += 1) cluster.send({ server: servers - 1, ms: JOB_MS });
  cluster.clock.advance(100);
  return cluster;
}

describe("a job that waits", () => {
  test("gets the slot that becomes free at another server", () => {
    const cluster = full(2);
    const run = cluster.send({ server: 0, ms: 10 });
    cluster.clock.advance(850);
    expect(run.job.isWaiting).toBe(true);
    cluster.clock.advance(100);
    expect(run.ends).toEqual([{ kind: "complete" }]);
    expect(run.servedAt).toBe("s1");
    expect(cluster.at(1).offers?.outcomes).toEqual({ taken: 1, declined: 0, late: 0, lost: 0 });
  });

  test("gets a slot of a worker that comes", () => {
    const cluster = full(2);
    const run = cluster.send({ server: 0, ms: 10 });
    cluster.clock.advance(100);
    cluster.connect(1, "another", 1);
    cluster.clock.advance(50);
    expect(run.ends).toHaveLength(1);
  });

  test("knows how many jobs of others are before it", () => {
    const cluster = full(2);
    for (let each = 0; each < 3; each += 1) cluster.send({ server: 1, ms: 10 });
    const run = cluster.send({ server: 0, ms: 10 });
    const later = cluster.send({ server: 0, ms: 10 });
    cluster.clock.advance(100);
    expect([run.job.position, later.job.position]).toEqual([4, 5]);
  });

  test("leaves the queues of all servers with its client", () => {
    const cluster = full(3);
    const runs = [0, 1].map((server) => cluster.send({ server, ms: 10 }));
    cluster.clock.advance(100);
    for (const { job } of runs) job.cancel();
    cluster.clock.advance(10);
    const own = cluster.send({ server: 2, ms: 10 });
    cluster.clock.advance(790 + 50);
    expect(own.ends).toHaveLength(1);
    expect(cluster.at(2).offers?.outcomes.declined).toBe(0);
  });

  test("fails at its deadline, wherever it has a place", () => {
    const cluster = new PoolCluster({ servers: 2, queueTimeoutMs: 500, random: () => 0.5 });
    cluster.connect(1, "w", 1);
    cluster.send({ server: 1, ms: 10_000 });
    cluster.clock.advance(100);
    const run = cluster.send({ server: 0, ms: 10 });
    cluster.clock.advance(500);
    expect(run.ends).toMatchObject([{ kind: "failed", fault: { code: "queue_timeout" } }]);
  });

  test("waits for the worker that its client has named, at the worker's server", () => {
    const cluster = full(2);
    cluster.connect(1, "other", 1);
    cluster.clock.advance(300);
    const run = cluster.send({ server: 0, ms: 10, workerId: "w" });
    cluster.clock.advance(400);
    expect(run.job.isWaiting).toBe(true);
    cluster.clock.advance(250);
    expect(run.ends).toHaveLength(1);
  });
});

describe("a slot that becomes free", () => {
  test("goes to the caller who has had least, at whichever server", () => {
    const cluster = full(3);
    const [alice, bob, carol] = [member("alice"), member("bob"), member("carol")];
    for (let each = 0; each < 40; each += 1) cluster.send({ server: 2, ms: 100, caller: alice });
    for (let each = 0; each < 40; each += 1) cluster.send({ server: 0, ms: 100, caller: bob });
    cluster.clock.advance(100);
    const light = cluster.send({ server: 1, ms: 100, caller: carol });
    cluster.clock.advance(JOB_MS + 4000);
    const order = cluster.runs
      .filter(({ begunAt, wish }) => begunAt !== undefined && wish.ms === 100)
      .sort((a, b) => (a.begunAt ?? 0) - (b.begunAt ?? 0))
      .map(({ wish }) => wish.caller?.name);
    expect(order.indexOf("carol")).toBeLessThanOrEqual(3);
    expect(light.ends).toHaveLength(1);
    // Up to a second of service apart.
    expect(Math.abs(count(order, "alice") - count(order, "bob"))).toBeLessThanOrEqual(10);
    expect(order.length).toBeGreaterThan(35);
  });

  test("goes to the more urgent class, at whichever server", () => {
    const cluster = full(2);
    cluster.send({ server: 1, ms: 100, caller: { ...createCaller("slow"), class: "background" } });
    const urgent = cluster.send({ server: 0, ms: 100, caller: { ...createCaller("fast"), class: "interactive" } });
    cluster.clock.advance(JOB_MS + 50);
    expect(urgent.ends).toHaveLength(1);
  });

  test("is held for a moment only, if the peer does not answer", () => {
    const cluster = full(2);
    const run = cluster.send({ server: 0, ms: 10 });
    cluster.clock.advance(850);
    const own = cluster.send({ server: 1, ms: 10 });
    cluster.links.delayMs = () => 5000;
    cluster.clock.advance(100 + 10_000);
    expect(own.ends).toHaveLength(1);
    expect(cluster.at(1).offers?.held).toBe(0);
    cluster.links.delayMs = () => 1;
    cluster.clock.advance(10_000);
    expect(run.ends).toHaveLength(1);
  });

  test("is free again at once when the link to the peer breaks", () => {
    const cluster = full(2);
    cluster.send({ server: 0, ms: 10 });
    cluster.links.delayMs = () => 100;
    cluster.clock.advance(950);
    expect(cluster.at(1).offers?.held).toBe(1);
    cluster.links.cut("s0", "s1");
    expect(cluster.at(1).offers?.held).toBe(0);
    expect(cluster.at(1).busy).toBe(0);
  });
});

describe("two callers with jobs at three servers", () => {
  test.each([1, 2])("get shares by weight, up to a second of service of each server, with weight %d", (weight) => {
    const cluster = new PoolCluster({ servers: 3, random: () => 0.5 });
    for (const at of [0, 1, 2]) cluster.connect(at, `w${at}`, 2);
    const heavy = member("heavy", { tenant: "team", weight });
    const light = member("light", { tenant: "team" });
    const repeat = (server: number, caller: Caller): void => {
      const run = cluster.send({ server, ms: 200, caller });
      const poll = cluster.clock.every(20, () => {
        if (run.ends.length === 0) return;
        poll();
        repeat(server, caller);
      });
    };
    // One of them at two servers, the other at the third, and both at the second.
    for (let each = 0; each < 12; each += 1) {
      for (const server of [0, 1]) repeat(server, heavy);
      for (const server of [1, 2]) repeat(server, light);
    }
    cluster.clock.advance(60_000);
    const service = (name: string): number =>
      cluster.runs.reduce((sum, { wish, ends }) => sum + (wish.caller?.name === name && ends[0] ? wish.ms : 0), 0);
    const apart = Math.abs(service("heavy") / weight - service("light"));
    const perSecond = 2 * 1000;
    expect(apart).toBeLessThanOrEqual(3 * perSecond);
    expect(service("heavy") + service("light")).toBeGreaterThan(0.85 * 60 * 3 * perSecond);
  });
});

function count(names: readonly (string | undefined)[], name: string): number {
  return names.filter((each) => each === name).length;
}
