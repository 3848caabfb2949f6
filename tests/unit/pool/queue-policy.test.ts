import { describe, expect, test } from "bun:test";
import { type Caller, createCaller } from "../../../src/auth/caller.ts";
import { Fault } from "../../../src/errors.ts";
import type { Claim } from "../../../src/pool/claim.ts";
import { NONE_EXCLUDED } from "../../../src/pool/excluded.ts";
import { FairQueue, type FairQueueOptions } from "../../../src/pool/policies/fair/fair-queue.ts";
import { FirstCome } from "../../../src/pool/policies/first-come.ts";
import { Pool } from "../../../src/pool/pool.ts";
import type { CreateQueuePolicy, QueuePolicy } from "../../../src/pool/queue-policy.ts";
import type { Work } from "../../../src/pool/seat.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { ScriptedSession } from "../../support/scripted-session.ts";

// What a policy can decide about the jobs of a pool, tried with the fair one: weights, classes and push-out.

const ALICE = createCaller("alice");
const BOB = createCaller("bob");
const heavy: Caller = { ...createCaller("heavy"), weight: 3 };
const background: Caller = { ...createCaller("batch"), class: "background" };
const interactive: Caller = { ...createCaller("person"), class: "interactive" };

function setUp(rules: Partial<FairQueueOptions> = {}, createPolicy?: CreateQueuePolicy) {
  const clock = new FakeClock();
  const createFair: CreateQueuePolicy = (host) =>
    new FairQueue({ capacity: 100, clock, costOf: ({ output }) => output, ...rules }, host);
  const pool = new Pool({
    clock,
    queueSize: rules.capacity ?? 100,
    queueTimeoutMs: 120_000,
    modelGraceMs: 60_000,
    serverId: "s1",
    name: "llm",
    createPolicy: createPolicy ?? createFair,
  });
  const join = (workerId: string, slots: number, models: readonly string[] = ["m"]): void => {
    const session = new ScriptedSession(workerId, models, slots, clock);
    session.host = pool;
    pool.onOpened(session);
  };
  const served: string[] = [];
  const claims: Claim[] = [];
  const failed: string[] = [];
  /** Asks for a slot as a job does. Returns the ticket and the wait, if it has to wait. */
  const ask = (caller: Caller, model = "m", ticket = issue(caller, model)) => {
    const claim = pool.claim(ticket);
    const granted = (given: Claim): void => {
      served.push(caller.name);
      claims.push(given);
    };
    if (claim) granted(claim);
    const wait = claim
      ? undefined
      : pool.wait(ticket, granted, (fault) => failed.push(`${caller.name} ${ticket.number}: ${fault.code}`));
    return { ticket, wait };
  };
  const issue = (caller: Caller, model: string) =>
    pool.issueTicket({ caller, demand: { model, exact: false, excluded: NONE_EXCLUDED } }, clock.elapsed());
  return { clock, pool, join, served, claims, failed, ask };
}

const work = (output: number): Work => ({
  outcome: "completed",
  error: undefined,
  runningMs: 1,
  usage: undefined,
  output,
});

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof Fault) return error.code;
    throw error;
  }
  return "no fault";
}

describe("with service counted", () => {
  test("two callers who always wait get service by their weights, whatever their jobs cost", () => {
    const { join, served, claims, ask } = setUp();
    join("w", 1);
    for (let at = 0; at < 40; at += 1) {
      ask(heavy);
      ask(ALICE);
    }
    const costs: Record<string, number> = { heavy: 0, alice: 0 };
    for (let at = 0; at < 40; at += 1) {
      const name = served[at] ?? "";
      const cost = name === "heavy" ? 5 : 20;
      costs[name] = (costs[name] ?? 0) + cost;
      claims[at]?.count(work(cost));
      claims[at]?.release();
    }
    const share = (costs["heavy"] ?? 0) / (costs["alice"] ?? 1);
    expect(share).toBeGreaterThan(2);
    expect(share).toBeLessThan(4);
  });
});

test("a policy hears what a job came to, and that an attempt which was sent elsewhere came to nothing", () => {
  const heard: string[] = [];
  const order = new FirstCome(10);
  const policy: QueuePolicy = {
    mayBegin: () => true,
    evict: (newcomer) => order.evict(newcomer),
    join: (ticket) => order.join(ticket),
    leave: (ticket) => order.leave(ticket),
    next: (seat) => order.next(seat),
    position: (ticket) => order.position(ticket),
    flows: () => [],
    begin: ({ number }) => heard.push(`begin ${number}`),
    end: ({ number }, spent) => heard.push(`end ${number} ${spent?.output}`),
  };
  const { join, claims, ask } = setUp({}, () => policy);
  join("w", 1);
  const { ticket } = ask(ALICE);
  claims[0]?.release();
  ask(ALICE, "m", ticket);
  claims[1]?.count(work(7));
  claims[1]?.release();
  expect(heard).toEqual(["begin 1", "end 1 undefined", "begin 1", "end 1 7"]);
});

describe("with classes", () => {
  test("the more urgent job is next, until another has waited long enough", () => {
    const { clock, join, served, claims, ask } = setUp();
    join("w", 1);
    ask(ALICE);
    ask(background);
    ask(interactive);
    claims[0]?.release();
    expect(served).toEqual(["alice", "person"]);
    clock.advance(61_000);
    ask(interactive);
    claims[1]?.release();
    expect(served).toEqual(["alice", "person", "batch"]);
  });

  test("background jobs leave a part of the slots free", () => {
    const { join, served, claims, ask } = setUp();
    join("w", 2);
    join("v", 2);
    for (let at = 0; at < 4; at += 1) ask(background);
    expect(served).toHaveLength(3);
    ask(interactive);
    expect(served).toHaveLength(4);
    for (const claim of claims.slice(0, 2)) claim.release();
    expect(served.filter((name) => name === "batch")).toHaveLength(4);
  });
});

describe("when too many wait", () => {
  test("the newest ticket of the caller with most of them gives way to another caller", () => {
    const { pool, join, failed, ask } = setUp({ capacity: 4 });
    join("w", 1);
    ask(ALICE);
    const last = [1, 2, 3, 4].map(() => ask(ALICE).ticket).at(-1);
    ask(BOB);
    expect(failed).toEqual([`alice ${last?.number}: queue_full`]);
    expect(pool.queueLength).toBe(4);
    expect(codeOf(() => ask(ALICE))).toBe("queue_full");
  });
});
