import { describe, expect, test } from "bun:test";
import { createCaller } from "../../../../src/auth/caller.ts";
import { NONE_EXCLUDED } from "../../../../src/pool/excluded.ts";
import type { JobReport } from "../../../../src/pool/job-spec.ts";
import { RoutedPool, warm } from "../../../support/routed-pool.ts";
import type { ScriptedExchange, ScriptedSession } from "../../../support/scripted-session.ts";

const FAILED = { link: "worked", model: "failed", reason: "status 500" } as const;
const WORKED = { link: "worked", model: "worked" } as const;

/** Two workers of the model, the first of which has just failed five times. */
function oneOut() {
  const rig = new RoutedPool();
  const [bad, good] = [rig.join("bad", 4), rig.join("good", 2)];
  fail(rig, "bad");
  return { rig, bad, good };
}

function fail(rig: RoutedPool, workerId: string, failures = 5): void {
  for (let at = 0; at < failures; at += 1) {
    const claim = rig.claim({ workerId });
    claim?.judge(FAILED);
    claim?.release();
  }
}

const isOut = (rig: RoutedPool, workerId: string): boolean | undefined =>
  rig.pool.seatOf(workerId)?.byModel.get("m")?.isOut;

describe("a worker that has failed five times in a row", () => {
  test("gets no jobs while another one takes jobs, busy or not", () => {
    const { rig } = oneOut();
    expect(rig.wheres(3)).toEqual(["good: least_loaded", "good: least_loaded", "waits"]);
    expect(rig.events).toMatchObject([{ change: "ejected", worker: { id: "bad" }, model: "m" }]);
  });

  test("can still be named", () => {
    const { rig } = oneOut();
    expect(rig.where({ workerId: "bad" })).toBe("bad: named");
  });

  test("gets one job after five seconds, and is back if it serves that one", () => {
    const { rig } = oneOut();
    rig.clock.advance(5000);
    const probe = rig.claim();
    expect([probe?.worker.id, probe?.route.reason]).toEqual(["bad", "probe"]);
    expect(rig.wheres(3)).toEqual(["good: least_loaded", "good: least_loaded", "waits"]);
    probe?.judge(WORKED);
    probe?.release();
    expect(rig.where()).toBe("bad: least_loaded");
    expect(rig.events.map(({ change }) => change)).toEqual(["ejected", "restored"]);
  });

  test("gets that job also where its timer fires a fraction of a millisecond early, as those of Bun do", () => {
    const rig = new RoutedPool();
    const onTime = rig.clock.after.bind(rig.clock);
    rig.clock.after = (ms, callback) => onTime(ms > 1 ? ms - 0.3 : ms, callback);
    rig.join("bad", 4);
    rig.join("good", 1);
    fail(rig, "bad");
    rig.clock.advance(4999);
    expect(rig.wheres(2)).toEqual(["good: least_loaded", "waits"]);
    rig.clock.advance(1);
    expect(rig.where()).toBe("bad: probe");
  });

  test("gets that job also if it is slow and the others have nothing to do", () => {
    const rig = new RoutedPool();
    rig.join("bad", 4);
    rig.join("good", 4);
    for (let at = 0; at < 8; at += 1) {
      rig.serve("bad", { firstByteMs: 1000, runningMs: 5000 });
      rig.serve("good", { firstByteMs: 250, runningMs: 1250 });
    }
    expect(rig.where()).toBe("good: load_and_speed");
    fail(rig, "bad");
    rig.clock.advance(5000);
    expect(rig.where()).toBe("bad: probe");
  });

  test("is out for twice as long if it fails that one too", () => {
    const { rig } = oneOut();
    rig.claim();
    rig.clock.advance(5000);
    const probe = rig.claim();
    expect(probe?.route.reason).toBe("probe");
    probe?.judge(FAILED);
    probe?.release();
    rig.clock.advance(9999);
    expect(rig.wheres(2)).toEqual(["good: least_loaded", "waits"]);
    rig.clock.advance(1);
    expect(rig.where()).toBe("bad: probe");
    expect(rig.events.map(({ change }) => change)).toEqual(["ejected", "extended"]);
  });

  test("gets another one if that one says nothing of it, as when its client leaves", () => {
    const { rig } = oneOut();
    rig.clock.advance(5000);
    const probe = rig.claim();
    probe?.judge({});
    probe?.release();
    expect(rig.where()).toBe("bad: probe");
  });

  test("gets another one after ten seconds if that one is a long answer", () => {
    const { rig } = oneOut();
    rig.clock.advance(5000);
    expect(rig.wheres(4)).toEqual(["bad: probe", "good: least_loaded", "good: least_loaded", "waits"]);
    rig.clock.advance(9999);
    expect(rig.where()).toBe("waits");
    rig.clock.advance(1);
    expect(rig.wheres(2)).toEqual(["bad: probe", "waits"]);
  });

  test("serves a job that waits as soon as its time is over", () => {
    const { rig } = oneOut();
    rig.claim();
    rig.claim();
    const granted: string[] = [];
    for (let at = 0; at < 2; at += 1)
      rig.pool.wait(
        rig.ticket(),
        ({ worker, route }) => granted.push(`${worker.id}: ${route.reason}`),
        () => {},
      );
    rig.clock.advance(4999);
    expect(granted).toEqual([]);
    rig.clock.advance(1);
    expect(granted).toEqual(["bad: probe"]);
  });

  test("is used for a job that the others have failed", () => {
    const { rig } = oneOut();
    const excluded = rig.claim({ workerId: "good" })?.exclude(NONE_EXCLUDED) ?? expect.unreachable();
    expect(rig.where({ excluded })).toBe("bad: none_healthy");
  });

  test("gets no job because it is warm", () => {
    const { rig, bad } = oneOut();
    expect(rig.where({ affinity: warm({ sessionId: bad.id, share: 1, source: "session" }) })).toBe(
      "good: least_loaded",
    );
  });

  test("is out for that model alone if its other models work", () => {
    const rig = new RoutedPool();
    rig.join("bad", 4, { models: ["m", "n"] });
    rig.join("good", 4, { models: ["m", "n"] });
    fail(rig, "bad");
    expect(rig.where()).toBe("good: least_loaded");
    expect(rig.where({ model: "n" })).toBe("bad: least_loaded");
  });

  test("is out for all its models if it could not be reached", () => {
    const rig = new RoutedPool();
    rig.join("bad", 4, { models: ["m", "n"] });
    rig.join("good", 4, { models: ["m", "n"] });
    for (let at = 0; at < 5; at += 1) {
      const claim = rig.claim({ workerId: "bad" });
      claim?.judge({ link: "failed", reason: "upstream_unreachable" });
      claim?.release();
    }
    expect(rig.where({ model: "n" })).toBe("good: least_loaded");
    expect(rig.events).toMatchObject([{ change: "ejected", worker: { id: "bad" }, model: undefined }]);
  });
});

describe("the last worker of a model", () => {
  test("is never out, however often it fails", () => {
    const rig = new RoutedPool();
    rig.join("only", 4);
    fail(rig, "only", 50);
    expect([isOut(rig, "only"), rig.where()]).toEqual([false, "only: only_worker"]);
    expect(rig.events).toEqual([]);
  });

  test("stays in use with all the others if all of them fail", () => {
    const { rig } = oneOut();
    fail(rig, "good");
    expect(rig.wheres(3)).toEqual(["bad: none_healthy", "good: none_healthy", "bad: none_healthy"]);
  });

  test("takes over at once, with the jobs that wait, when the others leave", () => {
    const { rig, good } = oneOut();
    rig.claim();
    rig.claim();
    const granted: string[] = [];
    rig.pool.wait(
      rig.ticket(),
      ({ worker, route }) => granted.push(`${worker.id}: ${route.reason}`),
      () => {},
    );
    good.vanish();
    expect(granted).toEqual(["bad: only_worker"]);
  });

  test("takes over the jobs that wait when the others go out as well", () => {
    const { rig } = oneOut();
    fail(rig, "good", 3);
    const held = [rig.claim(), rig.claim()];
    const granted: string[] = [];
    rig.pool.wait(
      rig.ticket(),
      ({ worker }) => granted.push(worker.id),
      () => {},
    );
    held[0]?.judge(FAILED);
    expect(granted).toEqual([]);
    held[1]?.judge(FAILED);
    expect(granted).toEqual(["bad"]);
  });
});

describe("a caller whose requests all fail", () => {
  const judge = (rig: RoutedPool, workerId: string, name: string, verdict: typeof FAILED | typeof WORKED): void => {
    const claim = rig.claim({ workerId }, createCaller(name));
    claim?.judge(verdict);
    claim?.release();
  };
  const setUp = (): RoutedPool => {
    const rig = new RoutedPool();
    for (const workerId of ["v", "w"]) {
      rig.join(workerId, 4);
      judge(rig, workerId, "bob", WORKED);
    }
    return rig;
  };

  test("sends no worker out that has served another caller in the last ten seconds", () => {
    const rig = setUp();
    rig.clock.advance(9000);
    for (let at = 0; at < 30; at += 1) judge(rig, "v", "alice", FAILED);
    expect(isOut(rig, "v")).toBe(false);
    rig.clock.advance(1000);
    judge(rig, "v", "alice", FAILED);
    expect(isOut(rig, "v")).toBe(true);
  });

  test("sends a worker out as soon as it fails another caller too", () => {
    const rig = setUp();
    for (let at = 0; at < 30; at += 1) judge(rig, "v", "alice", FAILED);
    judge(rig, "v", "bob", FAILED);
    expect(isOut(rig, "v")).toBe(true);
  });
});

describe("a worker that is out and connects again", () => {
  test("gets a job within five seconds, because it may have been repaired", () => {
    const { rig, bad } = oneOut();
    for (let at = 0; at < 5; at += 1) {
      rig.clock.advance(5 * 60_000);
      fail(rig, "bad", 1);
    }
    bad.vanish();
    rig.clock.advance(1000);
    rig.join("bad", 4);
    expect(isOut(rig, "bad")).toBe(true);
    rig.clock.advance(5000);
    const probe = rig.claim();
    expect(probe?.route.reason).toBe("probe");
    probe?.judge(WORKED);
    expect(isOut(rig, "bad")).toBe(false);
  });

  test("does not escape by it, however often it does so", () => {
    const { rig } = oneOut();
    let [jobs, toBad] = [0, 0];
    for (let second = 0; second < 120; second += 1) {
      rig.join("bad", 4).closes.length = 0;
      for (let at = 0; at < 10; at += 1) {
        const claim = rig.claim() ?? expect.unreachable();
        jobs += 1;
        if (claim.worker.id === "bad") toBad += 1;
        claim.judge(claim.worker.id === "bad" ? FAILED : WORKED);
        claim.release();
        rig.clock.advance(100);
      }
    }
    expect(toBad / jobs).toBeLessThan(0.01);
  });

  test("is still out where its new session has replaced the old one", () => {
    const { rig } = oneOut();
    rig.join("bad", 4);
    expect(rig.wheres(3)).toEqual(["good: least_loaded", "good: least_loaded", "waits"]);
  });
});

describe("jobs and their workers' health:", () => {
  const last = (session: ScriptedSession): ScriptedExchange => session.exchanges.at(-1) ?? expect.unreachable();

  function answer(exchange: ScriptedExchange, status: number): void {
    exchange.head({ status, headers: [["content-length", "1"]] });
    exchange.data(new Uint8Array(1));
    exchange.end();
  }

  test("one of two workers that answers 500 at once gets less than five per cent of the requests of a minute", () => {
    const rig = new RoutedPool();
    const [bad, good] = [rig.join("bad", 4), rig.join("good", 4)];
    for (let at = 0; at < 240; at += 1) {
      const before = bad.exchanges.length;
      rig.start();
      if (bad.exchanges.length > before) answer(last(bad), 500);
      else {
        const exchange = last(good);
        rig.clock.after(900, () => answer(exchange, 200));
      }
      rig.clock.advance(250);
    }
    expect(bad.exchanges.length + good.exchanges.length).toBe(240);
    expect(bad.exchanges.length).toBeGreaterThan(5);
    expect(bad.exchanges.length / 240).toBeLessThan(0.05);
  });

  test("an attempt that fails before its first byte counts for its worker, although another worker serves the job", () => {
    const rig = new RoutedPool();
    const [bad, good] = [rig.join("bad", 4), rig.join("good", 4)];
    const reports: JobReport[] = [];
    for (let at = 0; at < 5; at += 1) {
      rig.start((report) => reports.push(report));
      last(bad).breakOff("upstream_error");
      answer(last(good), 200);
    }
    expect(reports.map(({ status, attempts, claim }) => [status, attempts, claim?.worker.id])).toEqual(
      Array.from({ length: 5 }, () => [200, 2, "good"]),
    );
    expect(reports[0]?.failedAttempts).toMatchObject([{ claim: { worker: { id: "bad" } }, reason: "upstream_error" }]);
    expect(isOut(rig, "bad")).toBe(true);
  });

  test("the loss of a link is one failure, however many jobs it ends", () => {
    const rig = new RoutedPool();
    const flaky = rig.join("flaky", 8);
    for (let at = 0; at < 8; at += 1) rig.start();
    rig.join("good", 8);
    flaky.vanish();
    rig.join("flaky", 8);
    expect(isOut(rig, "flaky")).toBe(false);
  });

  test("a worker that loses its link with a job five times in a row is out when it comes back", () => {
    const rig = new RoutedPool();
    rig.join("good", 1);
    rig.start();
    for (let at = 0; at < 5; at += 1) {
      const flaky = rig.join("flaky", 8);
      rig.start();
      flaky.vanish();
    }
    rig.join("flaky", 8);
    expect(isOut(rig, "flaky")).toBe(true);
  });

  test("clients that leave, and answers that reject requests, send nobody out", () => {
    const rig = new RoutedPool();
    const bad = rig.join("bad", 4);
    rig.join("good", 4, { models: ["other"] });
    for (let at = 0; at < 30; at += 1) {
      const job = rig.start();
      if (at % 2 === 0) job.cancel();
      else answer(last(bad), 400);
      last(bad).confirm();
    }
    expect(rig.pool.seatOf("bad")?.byModel.get("m")?.health).toBeUndefined();
  });
});
