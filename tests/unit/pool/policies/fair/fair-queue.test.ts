import { describe, expect, test } from "bun:test";
import { type Caller, createCaller } from "../../../../../src/auth/caller.ts";
import { NONE_EXCLUDED } from "../../../../../src/pool/excluded.ts";
import { FairQueue } from "../../../../../src/pool/policies/fair/fair-queue.ts";
import type { OpenSeat } from "../../../../../src/pool/queue-policy.ts";
import type { Work } from "../../../../../src/pool/seat.ts";
import type { JobTicket } from "../../../../../src/pool/ticket.ts";
import { FairRig, jobsOf, member } from "../../../../support/fair-rig.ts";
import { FakeClock } from "../../../../support/fake-clock.ts";

const A = member("a");
const B = member("b");

/** Returns the share of the service of the last callers in a run, by name. */
function shareOf(rig: FairRig, name: string, ...others: readonly string[]): number {
  const total = [name, ...others].reduce((sum, each) => sum + rig.serviceOf(each), 0);
  return rig.serviceOf(name) / total;
}

describe("one request of a caller behind the queue of another", () => {
  test.each([70, 110, 500])("gets the next slot but one, and is not refused, behind %d requests", (count) => {
    const rig = new FairRig({ capacity: 100 });
    rig.connect("w", 2);
    rig.add(jobsOf(A, count, 1000));
    const [run] = [rig.start({ caller: B, cost: 1000 })];
    rig.clock.advance(100_000);
    expect(run.fault).toBeUndefined();
    expect(run.grantedAt).toBeLessThanOrEqual(1000);
  });

  test("also passes tickets that have waited for minutes", () => {
    const rig = new FairRig();
    rig.connect("w", 2);
    rig.add(jobsOf(A, 500, 1000));
    rig.clock.advance(120_500);
    const run = rig.start({ caller: B, cost: 1000 });
    expect(run.wait?.position()).toBeLessThanOrEqual(2);
    rig.clock.advance(1000);
    expect(run.grantedAt).toBeLessThanOrEqual(121_500);
  });

  test("waits for one job at most where a script of 60 keeps three workers busy", () => {
    const rig = new FairRig();
    for (const worker of ["u", "v", "w"]) rig.connect(worker, 4);
    rig.add(Array.from({ length: 240 }, (_, at) => ({ caller: A, cost: 8000, arrivesAt: at < 60 ? 0 : at * 600 })));
    rig.add(Array.from({ length: 20 }, (_, at) => ({ caller: B, cost: 2000, arrivesAt: 1000 + at * 6100 })));
    rig.clock.advance(600_000);
    const waits = rig.granted
      .filter(({ job }) => job.caller === B)
      .map(({ grantedAt, job }) => (grantedAt ?? 0) - (job.arrivesAt ?? 0));
    expect(waits).toHaveLength(20);
    expect(Math.max(...waits)).toBeLessThanOrEqual(8000);
  });
});

describe("a caller whose estimate is far above its costs", () => {
  test.each([50, 150, 1000])("does not keep out a newcomer that comes %d ms after its queue", (delayMs) => {
    const rig = new FairRig();
    rig.connect("w", 2);
    rig.start({ caller: A, cost: 200_000 });
    rig.clock.advance(200_000);
    rig.add(jobsOf(A, 1000, 100));
    rig.clock.advance(delayMs);
    const runs = jobsOf(B, 20, 100).map((job) => rig.start(job));
    rig.clock.advance(3000);
    // Two slots serve 60 jobs in that time, of which 30 are B's share.
    expect(runs.filter(({ endedAt }) => endedAt !== undefined)).toHaveLength(20);
  });
});

describe("over a minute in which both wait all the time", () => {
  test.each([
    [1, 0.5],
    [4, 0.8],
  ])("a caller of weight %d beside one of weight 1 gets %d of the service, within a tenth", (weight, share) => {
    const rig = new FairRig();
    rig.connect("w", 3);
    rig.add(jobsOf(member("a", { weight, tenant: "t" }), 300, 700));
    rig.add(jobsOf(member("b", { tenant: "t" }), 300, 300));
    rig.clock.advance(60_000);
    expect(Math.abs(shareOf(rig, "a", "b") / share - 1)).toBeLessThan(0.1);
  });

  test("a tenant of three callers gets as much as a tenant of one", () => {
    const rig = new FairRig();
    rig.connect("w", 2);
    for (const name of ["a", "b", "c"]) rig.add(jobsOf(member(name, { tenant: "t" }), 200, 500));
    rig.add(jobsOf(member("alone"), 200, 500));
    rig.clock.advance(60_000);
    expect(shareOf(rig, "alone", "a", "b", "c")).toBeCloseTo(0.5, 1);
    expect(shareOf(rig, "a", "b", "c")).toBeCloseTo(1 / 3, 1);
  });

  test("a weight divides what its tenant gets, and does not change the shares of tenants", () => {
    const rig = new FairRig();
    rig.connect("w", 2);
    rig.add(jobsOf(member("heavy", { tenant: "t", weight: 4 }), 300, 500));
    rig.add(jobsOf(member("light", { tenant: "t" }), 300, 500));
    rig.add(jobsOf(member("other", { tenant: "u" }), 300, 500));
    rig.clock.advance(60_000);
    expect(shareOf(rig, "other", "heavy", "light")).toBeCloseTo(0.5, 1);
    expect(shareOf(rig, "heavy", "light")).toBeCloseTo(0.8, 1);
  });

  test("the end users of a caller get even parts of its share", () => {
    const rig = new FairRig();
    rig.connect("w", 2);
    rig.add(jobsOf(A, 300, 500, { endUser: "many" }));
    rig.clock.advance(10_000);
    rig.add(jobsOf(A, 40, 500, { endUser: "few", arrivesAt: 10_000 }));
    rig.add(jobsOf(B, 100, 500, { arrivesAt: 10_000 }));
    const before = rig.granted.length;
    rig.clock.advance(20_000);
    const served = rig.granted.slice(before);
    const countOf = (endUser: string): number => served.filter(({ job }) => job.endUser === endUser).length;
    expect(Math.abs(countOf("few") - countOf("many"))).toBeLessThanOrEqual(2);
    expect(shareOf(rig, "a", "b")).toBeGreaterThan(0.5); // It was alone before.
    expect(served.filter(({ job }) => job.caller === B).length).toBeCloseTo(served.length / 2, -1);
  });
});

describe("workers with other models", () => {
  test("are divided apart: who waits for a model that nobody serves gives a newcomer no credit elsewhere", () => {
    const rig = new FairRig();
    rig.connect("w", 2);
    rig.connect("gone", 1, ["gone"]).vanish();
    rig.start({ caller: member("z"), cost: 1, model: "gone" });
    rig.add(jobsOf(A, 400, 1000));
    rig.clock.advance(100_500);
    rig.add(jobsOf(B, 100, 1000, { arrivesAt: 100_500 }));
    const from = rig.granted.length;
    rig.clock.advance(20_000);
    const served = rig.granted.slice(from).filter(({ job }) => job.caller === B).length;
    expect(Math.abs(served - 20)).toBeLessThanOrEqual(2);
  });

  test("are divided apart also after many workers with other models have come and gone while a job waited", () => {
    const rig = new FairRig();
    rig.connect("v", 1, ["gone"]).vanish();
    rig.start({ caller: A, cost: 1, model: "gone" });
    for (let at = 0; at < 20; at += 1) {
      const worker = rig.connect(`w${at}`, 1, [`m${at}`]);
      rig.add(jobsOf(B, 2, 10, { model: `m${at}` }));
      rig.clock.advance(100);
      worker.vanish();
    }
    rig.connect("p", 1, ["p"]);
    rig.connect("q", 1, ["q"]);
    rig.add(jobsOf(A, 21, 1000, { model: "p" }));
    rig.clock.advance(15_500);
    const from = rig.granted.length;
    rig.add(jobsOf(B, 12, 1000, { model: "q" }));
    rig.add(jobsOf(A, 12, 1000, { model: "q" }));
    rig.clock.advance(10_000);
    const atQ = rig.granted.slice(from).filter(({ workerId }) => workerId === "q");
    expect(atQ.filter(({ job }) => job.caller === A).length).toBeGreaterThanOrEqual(4);
  });

  test("keep their shares by cost, however much faster another model is", () => {
    const rig = new FairRig();
    rig.connect("fast", 4, ["fast"]);
    rig.connect("slow", 1, ["slow"]);
    rig.add(jobsOf(member("c"), 4000, 100, { model: "fast" }));
    rig.add(jobsOf(member("d"), 4000, 100, { model: "fast" }));
    rig.add(jobsOf(A, 100, 3000, { model: "slow" }));
    rig.add(jobsOf(B, 1000, 300, { model: "slow" }));
    rig.clock.advance(180_000);
    expect(shareOf(rig, "a", "b")).toBeCloseTo(0.5, 1);
  });
});

describe("classes", () => {
  const person = member("person", { class: "interactive" });
  const batch = member("batch", { class: "background" });

  test("are strict, until a job has waited 30 s for each class above its own", () => {
    const rig = new FairRig();
    rig.connect("w", 1);
    rig.add(jobsOf(person, 2000, 100));
    const low = rig.start({ caller: batch, cost: 100 });
    const mid = rig.start({ caller: A, cost: 100 });
    rig.clock.advance(200_000);
    expect(mid.grantedAt).toBeGreaterThanOrEqual(30_000);
    expect(mid.grantedAt).toBeLessThanOrEqual(31_000);
    expect(low.grantedAt).toBeGreaterThanOrEqual(60_000);
    expect(low.grantedAt).toBeLessThanOrEqual(61_000);
  });

  test("do not let a long queue of background jobs compete with normal ones after it has waited", () => {
    const rig = new FairRig();
    rig.connect("w", 1);
    rig.add(jobsOf(A, 2000, 100));
    rig.add(jobsOf(batch, 500, 100));
    rig.clock.advance(100_000);
    // One job each 30 s: a caller is as little patient as its last job.
    expect(rig.granted.filter(({ job }) => job.caller === batch)).toHaveLength(3);
  });

  test.each([
    [1, 1],
    [2, 1],
    [3, 2],
    [4, 3],
    [8, 6],
  ])("of %d slots leave background jobs %d", (count, share) => {
    const rig = new FairRig();
    rig.connect("w", count);
    rig.add(jobsOf(batch, 20, 20_000));
    expect(rig.pool.busyTotal).toBe(share);
    rig.clock.advance(15_000);
    for (let at = share; at < count; at += 1) expect(rig.start({ caller: A, cost: 1 }).grantedAt).toBe(15_000);
  });

  test("hold no background job back beside a free slot for more than 30 s", () => {
    const rig = new FairRig();
    rig.connect("w", 2);
    rig.start({ caller: A, cost: 100_000 });
    const held = rig.start({ caller: batch, cost: 1 });
    rig.clock.advance(29_999);
    expect(held.grantedAt).toBeUndefined();
    rig.clock.advance(1);
    expect(held.grantedAt).toBe(30_000);
  });

  test("hold none back for longer where the one before it has left after 30 s", () => {
    const rig = new FairRig();
    rig.connect("w", 4);
    rig.add(jobsOf(A, 1, 41_000));
    rig.add(jobsOf(A, 3, 500_000));
    const first = rig.start({ caller: batch, cost: 1000 });
    rig.clock.advance(35_000);
    const second = rig.start({ caller: batch, cost: 1000 });
    rig.clock.advance(5000);
    first.wait?.leave();
    rig.clock.advance(100_000);
    expect(second.grantedAt).toBe(65_000);
  });

  test("let a background job begin when another worker leaves with its jobs", () => {
    const rig = new FairRig();
    const busy = rig.connect("busy", 4);
    rig.add(jobsOf(A, 4, 100_000));
    rig.connect("w", 4);
    rig.add(jobsOf(batch, 3, 100_000));
    expect(rig.pool.queueLength).toBe(1);
    busy.vanish();
    expect(rig.pool.queueLength).toBe(0);
  });
});

describe("when the queue is full", () => {
  const gone = "gone";
  const setUp = (capacity: number): FairRig => {
    const rig = new FairRig({ capacity });
    rig.connect("v", 1, [gone]).vanish();
    rig.connect("w", 1);
    rig.start({ caller: A, cost: 1_000_000 });
    return rig;
  };

  test("a caller's queue for a model that is gone gives way to its request for another model", () => {
    const rig = setUp(5);
    rig.add(jobsOf(A, 4, 1, { model: gone }));
    rig.add(jobsOf(A, 2, 1));
    expect(rig.runs.filter(({ fault }) => fault).map(({ job }) => job.model)).toEqual([gone]);
    expect(rig.runs.filter(({ wait }) => wait).map(({ job }) => job.model ?? "m")).toEqual([
      gone,
      gone,
      gone,
      "m",
      "m",
    ]);
  });

  test("many callers who wait for a model that is gone do not keep a newcomer of another model out", () => {
    const rig = setUp(10);
    for (let at = 0; at < 10; at += 1) rig.start({ caller: member(`k${at}`), cost: 1, model: gone });
    const newcomer = rig.start({ caller: B, cost: 1 });
    expect(newcomer.fault).toBeUndefined();
    expect(rig.runs.filter(({ fault }) => fault).map(({ job }) => job.caller.name)).toEqual(["k9"]);
  });

  test("a tenant's many callers do not push out the only request of another tenant", () => {
    const rig = setUp(10);
    for (let at = 0; at < 9; at += 1) rig.start({ caller: member(`k${at}`, { tenant: "t" }), cost: 1, model: gone });
    const only = rig.start({ caller: B, cost: 1, model: gone });
    const newcomer = rig.start({ caller: member("k9", { tenant: "t" }), cost: 1 });
    expect([only.fault, newcomer.fault]).toEqual([undefined, undefined]);
    expect(rig.runs.filter(({ fault }) => fault).map(({ job }) => job.caller.name)).toEqual(["k8"]);
  });

  test("the newest request of the end user with most of them is refused, and nobody else's", () => {
    const rig = setUp(6);
    rig.add(jobsOf(B, 1, 1, { endUser: "few" }));
    rig.add(jobsOf(B, 5, 1, { endUser: "many" }));
    rig.start({ caller: member("c"), cost: 1 });
    const refused = rig.runs.filter(({ fault }) => fault);
    expect(refused.map(({ job }) => job.endUser)).toEqual(["many"]);
    expect(refused[0]).toBe(rig.runs[6] as (typeof rig.runs)[number]); // The last of the five.
  });

  test("a caller of twice the weight has twice the places", () => {
    const rig = setUp(9);
    rig.add(jobsOf(member("heavy", { tenant: "t", weight: 2 }), 9, 1));
    rig.add(jobsOf(member("light", { tenant: "t" }), 9, 1));
    expect([rig.waitingOf("heavy"), rig.waitingOf("light")]).toEqual([6, 3]);
  });

  test("tenants have equal places, whatever their callers weigh", () => {
    const rig = setUp(10);
    rig.add(jobsOf(member("heavy", { weight: 4 }), 10, 1));
    rig.add(jobsOf(B, 10, 1));
    expect([rig.waitingOf("heavy"), rig.waitingOf("b")]).toEqual([5, 5]);
  });
});

/** The queue alone, for what happens to single tickets. */
function setUpQueue() {
  const clock = new FakeClock();
  const queue = new FairQueue(
    { capacity: 10_000, clock, costOf: ({ output }) => output },
    { wake: () => {}, refuse: () => {}, loadOf: () => ({ busy: 0, slots: 1 }) },
  );
  let asked = 0;
  const seat: OpenSeat = {
    lines: ["worker w", "model m", "alias m:latest"],
    serves: () => {
      asked += 1;
      return true;
    },
  };
  let number = 0;
  const issue = (caller: Caller, more: Partial<JobTicket> = {}): JobTicket => {
    number += 1;
    const demand = { model: "m", exact: false, excluded: NONE_EXCLUDED };
    const base = { number, caller, class: caller.class, endUser: undefined, arrivedAt: 0, demand };
    return { ...base, wasAccepted: false, expiresAt: undefined, ...more };
  };
  const join = (caller: Caller): JobTicket => {
    const ticket = issue(caller);
    queue.join(ticket, clock.elapsed());
    return ticket;
  };
  const take = (): JobTicket => {
    const ticket = queue.next(seat, clock.elapsed()) as JobTicket; // All tickets here are.
    queue.leave(ticket);
    queue.begin(ticket, seat, clock.elapsed());
    return ticket;
  };
  return { clock, queue, seat, join, take, issue, asked: () => asked };
}

const work = (output: number, outcome: Work["outcome"] = "completed"): Work => ({
  outcome,
  error: undefined,
  runningMs: 1,
  usage: undefined,
  output,
});

describe("a job", () => {
  test("that workers give back is charged once, and keeps its place", () => {
    const { clock, queue, join, take } = setUpQueue();
    const first = join(A);
    join(B);
    join(A);
    join(B);
    for (let at = 0; at < 5; at += 1) {
      expect(take()).toBe(first);
      queue.end(first, undefined, clock.elapsed());
      queue.join(first, clock.elapsed());
    }
    expect(take()).toBe(first);
    queue.end(first, work(1000), clock.elapsed());
    expect([take(), take(), take()].map(({ caller }) => caller.name)).toEqual(["b", "a", "b"]);
  });

  test("that leaves the queue costs nothing", () => {
    const { queue, join, take } = setUpQueue();
    for (let at = 0; at < 50; at += 1) queue.leave(join(A));
    const expected = ["a", "b", "a", "b"];
    for (const name of expected) join(name === "a" ? A : B);
    expect(expected.map(() => take().caller.name)).toEqual(expected);
  });

  test("that is cut short pays for what it had, and teaches nothing", () => {
    const { clock, queue, join, take } = setUpQueue();
    for (let at = 0; at < 12; at += 1) join(at % 2 === 0 ? A : B);
    const cut = take();
    queue.end(cut, work(4000, "canceled"), clock.elapsed());
    // At 1,000 for each job, B gets four before A, who has had 4,000, gets its next.
    const names = Array.from({ length: 6 }, () => {
      const ticket = take();
      queue.end(ticket, work(1000), clock.elapsed());
      return ticket.caller.name;
    });
    expect(names).toEqual(["b", "b", "b", "b", "a", "b"]);
  });

  test("that begins while nothing waits is free", () => {
    const { clock, queue, seat, issue, join, take } = setUpQueue();
    const alone = issue(A);
    queue.begin(alone, seat, clock.elapsed());
    queue.end(alone, work(1_000_000), clock.elapsed());
    for (const caller of [A, B, A, B]) join(caller);
    expect(take().caller).toBe(A);
  });
});

describe("with a thousand callers waiting", () => {
  test("a grant asks the seat once, and positions are computed at most once a second", () => {
    const { clock, queue, join, take, asked } = setUpQueue();
    const tickets = Array.from({ length: 1000 }, (_, at) => join(createCaller(`k${at}`)));
    const [first, second, third] = tickets;
    if (!first || !second || !third) throw new Error("there are a thousand");
    expect(take()).toBe(first);
    expect(asked()).toBe(1);
    expect(queue.position(third, clock.elapsed())).toBe(2);
    expect(take()).toBe(second);
    expect(queue.position(third, clock.elapsed())).toBe(2);
    clock.advance(1000);
    expect(queue.position(third, clock.elapsed())).toBe(1);
    expect(queue.position(first, clock.elapsed())).toBe(0);
  });

  test("each is remembered for a minute at most, and nobody once nothing waits or runs", () => {
    const { clock, queue, join, take } = setUpQueue();
    for (let at = 0; at < 500; at += 1) {
      join(createCaller(`k${at}`));
      if (at < 2) continue;
      const ticket = take();
      clock.advance(1000);
      queue.end(ticket, work(500 + at), clock.elapsed());
    }
    // Of each caller of the last minute its flow and two counters, one of them for its jobs without an end user.
    expect(queue.remembered).toBeLessThanOrEqual(3 * 62 + 1);
    for (let at = 0; at < 2; at += 1) queue.end(take(), work(1), clock.elapsed());
    clock.advance(60_000);
    const last = join(A);
    expect(take()).toBe(last);
    queue.end(last, work(1), clock.elapsed());
    expect(queue.remembered).toBe(1);
  });
});

describe("the flows of a queue", () => {
  test("state who waits, for how long, and each one's share of the last minute", () => {
    const { clock, queue, join, take } = setUpQueue();
    const startedAt = clock.elapsed();
    const one = join(A);
    queue.join({ ...join(B), arrivedAt: startedAt - 500, number: 10, endUser: "u" }, clock.elapsed());
    expect(take()).toBe(one);
    queue.end(one, work(300), clock.elapsed());
    clock.advance(2000);
    const flows = queue.flows(clock.elapsed());
    expect(
      flows.map(({ caller, endUser, waiting, running, share }) => [caller, endUser, waiting, running, share]),
    ).toEqual([
      ["a", undefined, 0, 0, 1],
      ["b", undefined, 1, 0, 0],
      ["b", "u", 1, 0, 0],
    ]);
    expect(flows[2]?.oldestWaitMs).toBe(2500);
    expect(flows[2]?.weight).toBe(1);
  });
});
