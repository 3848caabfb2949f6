import { describe, expect, test } from "bun:test";
import { type Caller, createCaller } from "../../../src/auth/caller.ts";
import type { HeldClaim } from "../../../src/pool/claim.ts";
import { NONE_EXCLUDED } from "../../../src/pool/excluded.ts";
import { FirstCome } from "../../../src/pool/policies/first-come.ts";
import { Pool } from "../../../src/pool/pool.ts";
import type { Wait } from "../../../src/pool/waits.ts";
import { FairRig } from "../../support/fair-rig.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { ScriptedSession } from "../../support/scripted-session.ts";

const DEMAND = { model: "m", exact: true, excluded: NONE_EXCLUDED };
const [alice, bob, carol] = [createCaller("alice"), createCaller("bob"), createCaller("carol")];

/** Lets a job of a peer wait at the pool of a rig, and collects the slots that are held for it. */
function waitFrom(pool: Pool, caller: Caller, waitedMs = 0): { readonly held: HeldClaim[]; readonly wait: Wait } {
  const held: HeldClaim[] = [];
  const wait = pool.peers.waitForPeer({ caller, demand: DEMAND }, "s2", waitedMs, (claim) => held.push(claim));
  return { held, wait };
}

describe("a job of a peer", () => {
  test("gets a free slot at once, and gives it back if its server does not take it", () => {
    const { pool, connect } = rig();
    connect("w", 1);
    const { held } = waitFrom(pool, alice);
    expect(held.map(({ worker }) => worker.id)).toEqual(["w"]);
    expect(pool.busyTotal).toBe(1);
    held[0]?.release();
    expect(pool.busyTotal).toBe(0);
  });

  test("is served by the same comparison as the jobs that wait here", () => {
    const fair = rig();
    fair.connect("w", 1);
    for (let at = 0; at < 4; at += 1) fair.start({ caller: alice, cost: 100 });
    const { held } = waitFrom(fair.pool, bob);
    fair.clock.advance(100);
    // Alice has had a slot, so Bob is next, although three of her jobs have come before his.
    expect(held).toHaveLength(1);
    const later = waitFrom(fair.pool, alice);
    held[0]?.release();
    fair.clock.advance(299);
    expect(later.held).toHaveLength(0);
    fair.clock.advance(1);
    expect(later.held).toHaveLength(1);
  });

  test("has the place that its time of waiting gives it where the order is that of arrival", () => {
    const clock = new FakeClock();
    const pool = new Pool({
      clock,
      queueSize: 10,
      queueTimeoutMs: 60_000,
      modelGraceMs: 60_000,
      serverId: "s1",
      name: "llm",
      createPolicy: () => new FirstCome(10),
    });
    pool.onOpened(new ScriptedSession("w", ["m"], 1, clock));
    const order: string[] = [];
    const blocker = pool.claim(pool.issueTicket({ caller: alice, demand: DEMAND }, clock.elapsed()));
    const wait = (name: string): void => {
      const ticket = pool.issueTicket({ caller: alice, demand: DEMAND }, clock.elapsed());
      pool.wait(
        ticket,
        (claim) => {
          order.push(name);
          claim.release();
        },
        () => {},
      );
    };
    clock.advance(1000);
    wait("came after 1 s");
    clock.advance(2000);
    wait("came after 3 s");
    for (const waitedMs of [500, 1000, 2500])
      pool.peers.waitForPeer({ caller: bob, demand: DEMAND }, "s2", waitedMs, (claim) => {
        order.push(`waited ${waitedMs} ms elsewhere`);
        claim.release();
      });
    blocker?.release();
    expect(order).toEqual([
      "waited 2500 ms elsewhere",
      "came after 1 s",
      "waited 1000 ms elsewhere",
      "waited 500 ms elsewhere",
      "came after 3 s",
    ]);
  });

  test("takes no room in the queue, is not counted among the waiting jobs, and keeps no pool from being idle", async () => {
    const fair = rig({ capacity: 1 });
    fair.connect("w", 1);
    fair.start({ caller: alice, cost: 100 });
    for (let at = 0; at < 5; at += 1) waitFrom(fair.pool, bob);
    expect(fair.start({ caller: carol, cost: 100 }).fault).toBeUndefined();
    expect(fair.pool.queueLength).toBe(1);
    expect(fair.pool.flows().map(({ caller, waiting }) => [caller, waiting])).toEqual([
      ["carol", 1],
      ["alice", 0],
    ]);
  });

  test("leaves no trace when it leaves", () => {
    const fair = rig();
    fair.connect("w", 1);
    fair.start({ caller: alice, cost: 100 });
    const { held, wait } = waitFrom(fair.pool, bob);
    expect(wait.position()).toBe(1);
    wait.leave();
    wait.leave();
    expect(wait.position()).toBe(0);
    fair.clock.advance(100);
    expect(held).toHaveLength(0);
    expect(fair.pool.busyTotal).toBe(0);
  });

  test("does not wait where no job may wait any more", () => {
    const fair = rig();
    fair.connect("w", 1);
    fair.start({ caller: alice, cost: 100 });
    const before = waitFrom(fair.pool, bob);
    fair.pool.refuseWaiting(() => {
      throw new Error("nothing of this server waits");
    });
    const after = waitFrom(fair.pool, bob);
    fair.clock.advance(100);
    expect([before.held, after.held]).toEqual([[], []]);
  });
});

describe("a slot that is held for a peer", () => {
  test.each([
    ["the job that was named", bob, "carol"],
    ["another one", carol, "bob"],
  ])("is charged to the job that takes it, if that is %s", (_, taker, next) => {
    const fair = rig();
    fair.connect("w", 1);
    fair.start({ caller: alice, cost: 100 });
    const { held } = waitFrom(fair.pool, bob);
    for (const caller of [bob, carol]) fair.start({ caller, cost: 100 });
    fair.clock.advance(100);
    const [claim] = held;
    claim?.assign(fair.pool.issueTicket({ caller: taker, demand: DEMAND }, fair.clock.elapsed()));
    claim?.count({ outcome: "completed", error: undefined, runningMs: 100, usage: undefined, output: 100 });
    claim?.release();
    fair.clock.advance(50);
    expect(fair.granted.slice(1).map(({ job }) => job.caller.name)).toEqual([next]);
  });

  test("is charged to nobody if it is given back", () => {
    const fair = rig();
    fair.connect("w", 1);
    fair.start({ caller: alice, cost: 100 });
    const { held } = waitFrom(fair.pool, bob);
    for (const caller of [bob, carol]) fair.start({ caller, cost: 100 });
    fair.clock.advance(100);
    held[0]?.release();
    fair.clock.advance(50);
    expect(fair.granted.slice(1).map(({ job }) => job.caller.name)).toEqual(["bob"]);
  });
});

function rig(rules: ConstructorParameters<typeof FairRig>[0] = {}) {
  const fair = new FairRig(rules);
  return Object.assign(fair, { connect: fair.connect.bind(fair), start: fair.start.bind(fair) });
}
