import { expect, test } from "bun:test";
import fc from "fast-check";
import { Health } from "../../../../src/pool/routing/health.ts";

/** A health with a clock: each job begins and ends at the present time, unless it took longer. */
class TestedWorker {
  readonly health = new Health();
  now = 1000;

  pass(ms: number): void {
    this.now += ms;
    this.health.elapse(this.now);
  }

  fail(times = 1, tookMs = 0, mayEject = true): string | undefined {
    let change: string | undefined;
    for (let at = 0; at < times; at += 1)
      change = this.health.failed({ reason: "status 500", startedAt: this.now - tookMs }, this.now, mayEject);
    return change;
  }

  work(tookMs = 0): string | undefined {
    return this.health.worked(this.now - tookMs, this.now);
  }

  /** The job that may bring it back. */
  probe(outcome: "fails" | "works"): string | undefined {
    expect(this.health.probe(this.now)).toBe(true);
    const change = outcome === "fails" ? this.fail() : this.work();
    this.health.endProbe();
    return change;
  }
}

test("five fast failures in a row send a worker out for five seconds", () => {
  const worker = new TestedWorker();
  expect(worker.fail(4)).toBeUndefined();
  expect(worker.health.isOut).toBe(false);
  expect(worker.fail()).toBe("ejected");
  expect(worker.health.ejection).toEqual({ reason: "status 500", since: 1000, until: 6000, times: 1 });
  worker.pass(4999);
  expect([worker.health.isOut, worker.health.isSuspended]).toEqual([true, true]);
  worker.pass(1);
  expect([worker.health.isOut, worker.health.isSuspended]).toEqual([true, false]);
});

test("a job that is served well ends the row of failures", () => {
  const worker = new TestedWorker();
  worker.fail(4);
  worker.work();
  expect(worker.fail(4)).toBeUndefined();
});

test("slow failures are no row, but more than half of the last twenty send a worker out", () => {
  const worker = new TestedWorker();
  expect(worker.fail(10, 60_000)).toBeUndefined();
  for (let at = 0; at < 9; at += 1) worker.work();
  expect(worker.health.isOut).toBe(false);
  expect(worker.fail(1, 60_000)).toBe("ejected");
});

test("half of the last twenty is not enough", () => {
  const worker = new TestedWorker();
  for (let at = 0; at < 50; at += 1) {
    expect(worker.fail()).toBeUndefined();
    worker.work();
  }
});

test("each failed try to come back doubles the time out, up to five minutes", () => {
  const worker = new TestedWorker();
  worker.fail(5);
  const times: number[] = [];
  for (let at = 0; at < 8; at += 1) {
    const { until } = worker.health.ejection ?? expect.unreachable();
    times.push(until - worker.now);
    worker.pass(until - worker.now);
    expect(worker.probe("fails")).toBe("extended");
  }
  expect(times).toEqual([5000, 10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000]);
});

test("one job at a time may bring a worker back, and one that is served well does", () => {
  const worker = new TestedWorker();
  worker.fail(5);
  worker.pass(5000);
  expect(worker.health.probe(worker.now)).toBe(true);
  expect([worker.health.probe(worker.now), worker.health.isSuspended]).toEqual([false, true]);
  // A client that leaves, or an answer that rejects the request, says nothing.
  worker.health.endProbe();
  expect(worker.health.isSuspended).toBe(false);
  expect(worker.probe("works")).toBe("restored");
  expect([worker.health.isOut, worker.health.ejection]).toEqual([false, undefined]);
  expect(worker.fail(4)).toBeUndefined();
});

test("a worker that fails again soon after its return stays out for longer than before", () => {
  const worker = new TestedWorker();
  worker.fail(5);
  worker.pass(5000);
  worker.probe("works");
  worker.pass(60_000);
  worker.fail(5);
  expect(worker.health.ejection).toMatchObject({ until: worker.now + 10_000, times: 2 });
});

test("a worker that was well for five minutes starts with a clean record", () => {
  const worker = new TestedWorker();
  worker.fail(5);
  worker.pass(5000);
  worker.probe("works");
  worker.pass(5 * 60_000);
  worker.fail(5);
  expect(worker.health.ejection).toMatchObject({ until: worker.now + 5000, times: 1 });
});

test("jobs from before its failures neither bring a worker back nor keep it out for longer", () => {
  const worker = new TestedWorker();
  worker.pass(60_000);
  worker.fail(5);
  const until = worker.health.ejection?.until;
  worker.pass(1000);
  expect(worker.work(30_000)).toBeUndefined();
  expect(worker.fail(20, 30_000)).toBeUndefined();
  expect(worker.health.ejection?.until).toBe(until ?? 0);
});

test("where nobody could take over, failures send nobody out", () => {
  const worker = new TestedWorker();
  expect(worker.fail(100, 0, false)).toBeUndefined();
  expect(worker.health.isOut).toBe(false);
  expect(worker.fail()).toBe("ejected");
});

test("a new session brings a worker back within five seconds, at most once a minute", () => {
  const worker = new TestedWorker();
  worker.fail(5);
  for (let at = 0; at < 5; at += 1) {
    worker.pass((worker.health.ejection?.until ?? 0) - worker.now);
    worker.probe("fails");
  }
  const waitMs = (): number => (worker.health.ejection?.until ?? 0) - worker.now;
  expect(waitMs()).toBe(160_000);
  worker.health.reconnected(worker.now);
  expect(waitMs()).toBe(5000);
  worker.pass(5000);
  worker.probe("fails");
  expect(waitMs()).toBe(300_000);
  worker.health.reconnected(worker.now);
  expect(waitMs()).toBe(300_000);
  worker.pass(60_000);
  worker.health.reconnected(worker.now);
  expect(waitMs()).toBe(5000);
});

test("in any sequence of outcomes, a worker is out for five seconds to five minutes, and suspended only while it is out", () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant("pass" as const), ms: fc.integer({ min: 0, max: 400_000 }) }),
    fc.record({ do: fc.constantFrom("fail" as const, "work" as const), tookMs: fc.integer({ min: 0, max: 20_000 }) }),
    fc.record({ do: fc.constantFrom("probe" as const, "end probe" as const, "reconnect" as const) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
      const worker = new TestedWorker();
      const { health } = worker;
      for (const each of steps) {
        const before = health.ejection;
        if (each.do === "pass") worker.pass(each.ms);
        else if (each.do === "fail") worker.fail(1, each.tookMs);
        else if (each.do === "work") worker.work(each.tookMs);
        else if (each.do === "probe") health.probe(worker.now);
        else if (each.do === "end probe") health.endProbe();
        else health.reconnected(worker.now);
        if (health.isSuspended) expect(health.isOut).toBe(true);
        expect(health.isOut).toBe(health.ejection !== undefined);
        if (!health.ejection || health.ejection === before || each.do === "reconnect") continue;
        const outMs = health.ejection.until - worker.now;
        expect(outMs).toBeGreaterThanOrEqual(5000);
        expect(outMs).toBeLessThanOrEqual(300_000);
      }
    }),
  );
});
