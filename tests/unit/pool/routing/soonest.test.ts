import { describe, expect, test } from "bun:test";
import { NONE_EXCLUDED } from "../../../../src/pool/excluded.ts";
import type { Affinity } from "../../../../src/pool/routing/affinity.ts";
import { RoutedPool, warm } from "../../../support/routed-pool.ts";

const SLOW = { firstByteMs: 1000, runningMs: 5000 };
const FAST = { firstByteMs: 250, runningMs: 1250 };

describe("of workers that differ in nothing but their load,", () => {
  test("the one with the smallest part of its slots in use gets the job, and of equals the one that has rested longest", () => {
    const rig = new RoutedPool();
    rig.join("a", 4);
    rig.join("b", 2);
    expect(rig.wheres(6)).toEqual([
      "a: least_loaded",
      "b: least_loaded",
      "a: least_loaded",
      "b: least_loaded",
      "a: least_loaded",
      "a: least_loaded",
    ]);
    expect(rig.where()).toBe("waits");
  });

  test("the only one that takes jobs gets them for that reason", () => {
    const rig = new RoutedPool();
    rig.join("a", 2);
    rig.join("b", 2, { status: "not_ready" });
    expect(rig.where()).toBe("a: only_worker");
  });
});

describe("a warm worker", () => {
  test("gets the job before one that is less loaded", () => {
    const rig = new RoutedPool();
    const { id } = rig.join("a", 4);
    rig.join("b", 4);
    const affinity = warm({ sessionId: id, share: 0.9, source: "prefix" });
    const claim = rig.claim({ affinity });
    expect([claim?.worker.id, claim?.route]).toEqual(["a", { reason: "prefix", share: 0.9 }]);
    expect(rig.where()).toBe("b: least_loaded");
    expect(rig.where({ affinity })).toBe("a: prefix");
  });

  test("that is ahead of the others by more than the guard allows leaves the job to the next warm one, then to the best", () => {
    const rig = new RoutedPool();
    const [a, b] = [rig.join("a", 4), rig.join("b", 4)];
    rig.join("c", 4);
    const affinity = warm(
      { sessionId: a.id, share: 0.9, source: "session" },
      { sessionId: b.id, share: 0.5, source: "prefix" },
    );
    expect(rig.wheres(8, { affinity })).toEqual([
      "a: session",
      "a: session",
      "b: prefix",
      "b: prefix",
      "c: least_loaded",
      "a: session",
      "b: prefix",
      "c: least_loaded",
    ]);
  });

  test("gives way to one that has as much of the prompt and is much less busy, which matters where slots are few", () => {
    for (const [slots, second] of [
      [2, "b"],
      [16, "a"],
    ] as const) {
      const rig = new RoutedPool();
      const workers = [rig.join("a", slots), rig.join("b", slots), rig.join("c", slots)];
      const affinity = warm(
        ...workers.slice(0, 2).map(({ id }) => ({ sessionId: id, share: 0.9, source: "prefix" }) as const),
      );
      expect(rig.wheres(2, { affinity })).toEqual(["a: prefix", `${second}: prefix`]);
    }
  });

  test("is never waited for while it is full and another one has room", () => {
    const rig = new RoutedPool();
    const { id } = rig.join("a", 1);
    rig.join("b", 8);
    const affinity = warm({ sessionId: id, share: 1, source: "session" });
    rig.claim({ workerId: "a" });
    expect(rig.where({ affinity })).toBe("b: least_loaded");
  });

  test("that has failed the job, has left, or serves another model is skipped", () => {
    const rig = new RoutedPool();
    const [a, b] = [rig.join("a", 2), rig.join("b", 2, { models: ["other"] })];
    rig.join("c", 2);
    const gone = rig.join("d", 2);
    gone.vanish();
    const affinity = warm(...[gone, b, a].map(({ id }) => ({ sessionId: id, share: 1, source: "session" }) as const));
    const excluded = rig.claim({ workerId: "a" })?.exclude(NONE_EXCLUDED) ?? expect.unreachable();
    expect(rig.where({ affinity, excluded })).toBe("c: retry");
    expect(rig.where({ affinity })).toBe("a: session");
  });

  test("that would have to load the model again has nothing cached, so it is skipped", () => {
    const rig = new RoutedPool();
    const { id } = rig.join("a", 2, { loaded: [] });
    rig.join("b", 2, { loaded: ["m"] });
    expect(rig.where({ affinity: warm({ sessionId: id, share: 1, source: "prefix" }) })).toBe("b: loaded");
  });

  test("is looked for with each choice, and only where several workers serve the model", () => {
    const rig = new RoutedPool();
    const a = rig.join("a", 1);
    let asked = 0;
    const affinity: Affinity = {
      candidates: (model) => {
        expect(model).toBe("m");
        asked += 1;
        return [{ sessionId: a.id, share: 1, source: "cache_key" }];
      },
    };
    const first = rig.claim({ affinity });
    expect([first?.route.reason, asked]).toEqual(["only_worker", 0]);
    rig.join("b", 1);
    rig.claim();
    const reasons: string[] = [];
    rig.pool.wait(
      rig.ticket({ affinity }),
      ({ worker, route }) => reasons.push(`${worker.id}: ${route.reason}`),
      () => {},
    );
    first?.release();
    expect(reasons).toEqual(["a: cache_key"]);
    expect(asked).toBe(1);
  });
});

describe("of workers of different speeds,", () => {
  function twoSpeeds(): RoutedPool {
    const rig = new RoutedPool();
    rig.join("slow", 4);
    rig.join("fast", 4);
    for (let at = 0; at < 8; at += 1) {
      rig.serve("slow", SLOW);
      rig.serve("fast", FAST);
    }
    return rig;
  }

  test("the fast one gets jobs until its load makes up for its speed", () => {
    const rig = twoSpeeds();
    expect(rig.wheres(6)).toEqual([
      "fast: load_and_speed",
      "fast: load_and_speed",
      "fast: load_and_speed",
      "slow: load_and_speed",
      "fast: load_and_speed",
      "slow: load_and_speed",
    ]);
  });

  test("each choice has the score that decided", () => {
    const claim = twoSpeeds().claim();
    expect(claim?.worker.id).toBe("fast");
    expect(claim?.route.score).toBe(0.125);
  });

  test("one that connects again has the speed that it had", () => {
    const rig = twoSpeeds();
    rig.join("fast", 4);
    expect(rig.pool.seatOf("fast")?.byModel.get("m")?.speed?.decode).toBeCloseTo(100);
  });
});

describe("where models must be loaded,", () => {
  test("workers that have the model in memory get its jobs until they are full", () => {
    const rig = new RoutedPool();
    rig.join("a", 2, { loaded: [] });
    rig.join("b", 2, { loaded: ["m"] });
    expect(rig.wheres(5)).toEqual([
      "b: loaded",
      "b: loaded",
      "a: must_load",
      // The model is being loaded there.
      "a: least_loaded",
      "waits",
    ]);
  });

  test("one worker loads a model that nobody has, however many jobs come at once", () => {
    const rig = new RoutedPool();
    for (let at = 0; at < 10; at += 1) rig.join(`w${at}`, 4, { loaded: [] });
    const went = rig.wheres(4);
    expect(went).toEqual(["w0: must_load", "w0: loaded", "w0: loaded", "w0: loaded"]);
    expect(rig.where()).toBe("w1: must_load");
  });

  test("a worker that has served a model has it loaded, until it says otherwise or half a minute has passed", () => {
    const rig = new RoutedPool();
    const a = rig.join("a", 2, { loaded: [] });
    rig.join("b", 2, { loaded: [] });
    const served = (): boolean | undefined => rig.pool.seatOf("a")?.byModel.get("m")?.isLoaded;
    const serveOnce = (): void => {
      const claim = rig.claim({ workerId: "a" });
      claim?.judge({ link: "worked", model: "worked" });
      claim?.release();
    };
    serveOnce();
    expect(served()).toBe(true);
    a.changeOffer({ maxConcurrency: 3 });
    expect(served()).toBe(true);
    a.changeOffer({ loaded: [] });
    expect(served()).toBe(false);
    serveOnce();
    rig.clock.advance(29_999);
    expect(served()).toBe(true);
    rig.clock.advance(1);
    expect(served()).toBe(false);
  });

  test("a worker that says nothing counts as one that has its models loaded", () => {
    const rig = new RoutedPool();
    rig.join("a", 2);
    rig.join("b", 2);
    expect(rig.wheres(2)).toEqual(["a: least_loaded", "b: least_loaded"]);
  });
});
