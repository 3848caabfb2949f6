import { expect, test } from "bun:test";
import fc from "fast-check";
import { Health } from "../../../../src/pool/routing/health.ts";

/** A health with a clock: each job begins and ends at the present time, unless it took longer. */
class Patient {
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
  const patient = new Patient();
  expect(patient.fail(4)).toBeUndefined();
  expect(patient.health.isOut).toBe(false);
  expect(patient.fail()).toBe("ejected");
  expect(patient.health.ejection).toEqual({ reason: "status 500", since: 1000, until: 6000, times: 1 });
  patient.pass(4999);
  expect([patient.health.isOut, patient.health.isBarred]).toEqual([true, true]);
  patient.pass(1);
  expect([patient.health.isOut, patient.health.isBarred]).toEqual([true, false]);
});

test("a job that is served well ends the row of failures", () => {
  const patient = new Patient();
  patient.fail(4);
  patient.work();
  expect(patient.fail(4)).toBeUndefined();
});

test("slow failures are no row, but more than half of the last twenty send a worker out", () => {
  const patient = new Patient();
  expect(patient.fail(10, 60_000)).toBeUndefined();
  for (let at = 0; at < 9; at += 1) patient.work();
  expect(patient.health.isOut).toBe(false);
  expect(patient.fail(1, 60_000)).toBe("ejected");
});

test("half of the last twenty is not enough", () => {
  const patient = new Patient();
  for (let at = 0; at < 50; at += 1) {
    expect(patient.fail()).toBeUndefined();
    patient.work();
  }
});

test("each failed try to come back doubles the time out, up to five minutes", () => {
  const patient = new Patient();
  patient.fail(5);
  const times: number[] = [];
  for (let at = 0; at < 8; at += 1) {
    const { until } = patient.health.ejection ?? expect.unreachable();
    times.push(until - patient.now);
    patient.pass(until - patient.now);
    expect(patient.probe("fails")).toBe("extended");
  }
  expect(times).toEqual([5000, 10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000]);
});

test("one job at a time may bring a worker back, and one that is served well does", () => {
  const patient = new Patient();
  patient.fail(5);
  patient.pass(5000);
  expect(patient.health.probe(patient.now)).toBe(true);
  expect([patient.health.probe(patient.now), patient.health.isBarred]).toEqual([false, true]);
  // A client that leaves, or an answer that rejects the request, says nothing.
  patient.health.endProbe();
  expect(patient.health.isBarred).toBe(false);
  expect(patient.probe("works")).toBe("restored");
  expect([patient.health.isOut, patient.health.ejection]).toEqual([false, undefined]);
  expect(patient.fail(4)).toBeUndefined();
});

test("a worker that fails again soon after its return stays out for longer than before", () => {
  const patient = new Patient();
  patient.fail(5);
  patient.pass(5000);
  patient.probe("works");
  patient.pass(60_000);
  patient.fail(5);
  expect(patient.health.ejection).toMatchObject({ until: patient.now + 10_000, times: 2 });
});

test("a worker that was well for five minutes starts anew", () => {
  const patient = new Patient();
  patient.fail(5);
  patient.pass(5000);
  patient.probe("works");
  patient.pass(5 * 60_000);
  patient.fail(5);
  expect(patient.health.ejection).toMatchObject({ until: patient.now + 5000, times: 1 });
});

test("jobs from before its failures neither bring a worker back nor keep it out for longer", () => {
  const patient = new Patient();
  patient.pass(60_000);
  patient.fail(5);
  const until = patient.health.ejection?.until;
  patient.pass(1000);
  expect(patient.work(30_000)).toBeUndefined();
  expect(patient.fail(20, 30_000)).toBeUndefined();
  expect(patient.health.ejection?.until).toBe(until ?? 0);
});

test("where nobody could take over, failures send nobody out", () => {
  const patient = new Patient();
  expect(patient.fail(100, 0, false)).toBeUndefined();
  expect(patient.health.isOut).toBe(false);
  expect(patient.fail()).toBe("ejected");
});

test("a new session brings a worker back within five seconds, at most once a minute", () => {
  const patient = new Patient();
  patient.fail(5);
  for (let at = 0; at < 5; at += 1) {
    patient.pass((patient.health.ejection?.until ?? 0) - patient.now);
    patient.probe("fails");
  }
  const waitMs = (): number => (patient.health.ejection?.until ?? 0) - patient.now;
  expect(waitMs()).toBe(160_000);
  patient.health.reconnected(patient.now);
  expect(waitMs()).toBe(5000);
  patient.pass(5000);
  patient.probe("fails");
  expect(waitMs()).toBe(300_000);
  patient.health.reconnected(patient.now);
  expect(waitMs()).toBe(300_000);
  patient.pass(60_000);
  patient.health.reconnected(patient.now);
  expect(waitMs()).toBe(5000);
});

test("in any sequence of outcomes, a worker is out for five seconds to five minutes, and barred only while it is out", () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant("pass" as const), ms: fc.integer({ min: 0, max: 400_000 }) }),
    fc.record({ do: fc.constantFrom("fail" as const, "work" as const), tookMs: fc.integer({ min: 0, max: 20_000 }) }),
    fc.record({ do: fc.constantFrom("probe" as const, "end probe" as const, "reconnect" as const) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
      const patient = new Patient();
      const { health } = patient;
      for (const each of steps) {
        const before = health.ejection;
        if (each.do === "pass") patient.pass(each.ms);
        else if (each.do === "fail") patient.fail(1, each.tookMs);
        else if (each.do === "work") patient.work(each.tookMs);
        else if (each.do === "probe") health.probe(patient.now);
        else if (each.do === "end probe") health.endProbe();
        else health.reconnected(patient.now);
        if (health.isBarred) expect(health.isOut).toBe(true);
        expect(health.isOut).toBe(health.ejection !== undefined);
        if (!health.ejection || health.ejection === before || each.do === "reconnect") continue;
        const outMs = health.ejection.until - patient.now;
        expect(outMs).toBeGreaterThanOrEqual(5000);
        expect(outMs).toBeLessThanOrEqual(300_000);
      }
    }),
  );
});
