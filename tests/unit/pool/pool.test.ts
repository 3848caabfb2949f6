import { expect, test } from "bun:test";
import fc from "fast-check";
import { Fault } from "../../../src/errors.ts";
import { aliasKey } from "../../../src/pool/alias.ts";
import type { Demand } from "../../../src/pool/directory.ts";
import { type Claim, Pool } from "../../../src/pool/pool.ts";
import { createRanked, Ranking } from "../../../src/pool/ranking.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { ScriptedSession } from "../../support/scripted-session.ts";
import { times } from "../../support/times.ts";

function setUp(options: { queueSize?: number; queueTimeoutMs?: number; startGraceMs?: number } = {}) {
  const clock = new FakeClock();
  const pool = new Pool({
    clock,
    queueSize: 10,
    queueTimeoutMs: 1000,
    modelGraceMs: 60_000,
    serverId: "s1",
    name: "llm",
    ...options,
  });
  const join = (workerId: string, models: readonly string[], slots: number): ScriptedSession => {
    const session = new ScriptedSession(workerId, models, slots, clock);
    session.host = pool;
    pool.onOpened(session);
    return session;
  };
  return { clock, pool, join };
}

const demand = (model: string, more: Partial<Demand> = {}): Demand => ({
  model,
  exact: false,
  excluded: new Set(),
  ...more,
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

const workerOf = (claim: Claim | undefined): string | undefined => claim?.seat.session.worker.id;

test("under any order of events no worker holds more than it declared, nobody is served twice, and nothing is left over", () => {
  const models = ["a", "b", "llama:8b", "llama:8b-q4"];
  const step = fc.oneof(
    fc.record({
      kind: fc.constant("join" as const),
      worker: fc.integer({ min: 0, max: 5 }),
      models: fc.subarray(models),
      slots: fc.integer({ min: 0, max: 3 }),
    }),
    fc.record({ kind: fc.constant("leave" as const), worker: fc.integer({ min: 0, max: 5 }) }),
    fc.record({
      kind: fc.constant("offer" as const),
      worker: fc.integer({ min: 0, max: 5 }),
      models: fc.subarray(models),
      slots: fc.integer({ min: 0, max: 3 }),
    }),
    fc.record({ kind: fc.constant("ask" as const), model: fc.constantFrom(...models), exact: fc.boolean() }),
    fc.record({ kind: fc.constant("release" as const), at: fc.nat() }),
    fc.record({ kind: fc.constant("abandon" as const), at: fc.nat() }),
    fc.record({ kind: fc.constant("pass" as const), ms: fc.constantFrom(1, 500, 1000) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const { clock, pool, join } = setUp();
      const here = new Map<number, ScriptedSession>();
      const held: Claim[] = [];
      const waiting = new Map<number, { readonly asked: Demand; readonly leave: () => void }>();
      let ticket = 0;
      const check = (): void => {
        for (const seat of pool.seats()) expect(seat.busy).toBe(held.filter((claim) => claim.seat === seat).length);
        expect(pool.busyTotal).toBe(held.length);
        expect(pool.queueLength).toBe(waiting.size);
        // Whoever waits has nobody free: a slot and a taker never pass each other by.
        for (const { asked } of waiting.values()) expect(pool.hasRoomFor(asked)).toBe(false);
      };
      for (const each of steps) {
        switch (each.kind) {
          case "join": {
            const session = join(`w${each.worker}`, each.models, each.slots);
            here.set(each.worker, session);
            break;
          }
          case "leave": {
            const session = here.get(each.worker);
            if (session) pool.onClosed(session);
            here.delete(each.worker);
            break;
          }
          case "offer": {
            const session = here.get(each.worker);
            if (!session) break;
            const were = held.filter((claim) => claim.seat.session === session).length;
            session.offer = { ...session.offer, models: each.models, maxConcurrency: Math.max(each.slots, were) };
            pool.onOfferChange(session);
            break;
          }
          case "ask": {
            const asked = demand(each.model, { exact: each.exact });
            try {
              const claim = pool.claim(asked);
              if (claim) {
                held.push(claim);
                break;
              }
              const number = pool.nextTicketNumber();
              ticket = number;
              const wait = pool.wait(
                asked,
                number,
                (granted) => {
                  expect(waiting.delete(number)).toBe(true);
                  held.push(granted);
                },
                () => expect(waiting.delete(number)).toBe(true),
              );
              waiting.set(number, { asked, leave: wait.leave });
            } catch (error) {
              if (!(error instanceof Fault)) throw error;
            }
            break;
          }
          case "release": {
            const claim = held.splice(each.at % Math.max(1, held.length), 1)[0];
            claim?.release();
            claim?.release();
            break;
          }
          case "abandon": {
            const [number, wait] = [...waiting][each.at % Math.max(1, waiting.size)] ?? [];
            if (number !== undefined && wait) {
              waiting.delete(number);
              wait.leave();
            }
            break;
          }
          default:
            clock.advance(each.ms);
        }
        for (const claim of held) {
          expect(claim.seat.busy).toBeLessThanOrEqual(
            Math.max(claim.seat.capacity, held.filter((other) => other.seat === claim.seat).length),
          );
        }
        check();
      }
      expect(ticket).toBeGreaterThanOrEqual(0);
      for (const session of here.values()) pool.onClosed(session);
      for (const claim of held.splice(0)) claim.release();
      clock.advance(10_000);
      expect(waiting.size).toBe(0);
      expect([pool.busyTotal, pool.queueLength, [...pool.seats()].length, clock.pending]).toEqual([0, 0, 0, 0]);
    }),
    { numRuns: times(500) },
  );
});

test("the least loaded worker is chosen by busy over capacity, ties go to the one idle longest", () => {
  const { pool, join } = setUp();
  join("big", ["m"], 4);
  join("small", ["m"], 2);
  const order = Array.from({ length: 6 }, () => workerOf(pool.claim(demand("m"))));
  expect(order).toEqual(["big", "small", "big", "small", "big", "big"]);
  expect(pool.claim(demand("m"))).toBeUndefined();
});

test("of idle workers the one idle longest is next", () => {
  const { pool, join } = setUp();
  join("a", ["m"], 1);
  join("b", ["m"], 1);
  const first = pool.claim(demand("m"));
  first?.release();
  expect(workerOf(first)).toBe("a");
  expect(workerOf(pool.claim(demand("m")))).toBe("b");
});

test("choosing among 5,000 sessions looks at one", () => {
  const ranking = new Ranking<number>();
  for (let index = 0; index < 5000; index += 1) ranking.place(createRanked(index), 0);
  let looks = 0;
  ranking.first(() => {
    looks += 1;
    return true;
  });
  expect(looks).toBe(1);
});

test("a ranking keeps order of load, then of arrival, through any moves", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.integer({ min: 0, max: 9 }), fc.integer({ min: -1, max: 4 })), { maxLength: 80 }),
      (moves) => {
        const ranking = new Ranking<number>();
        const members = Array.from({ length: 10 }, (_, index) => createRanked(index));
        let placed: { readonly value: number; readonly load: number }[] = [];
        for (const [value, load] of moves) {
          const member = members[value];
          if (!member) continue;
          placed = placed.filter((each) => each.value !== value);
          if (load < 0) ranking.remove(member);
          else {
            ranking.place(member, load);
            placed.push({ value, load });
          }
          const expected = [...placed].sort((a, b) => a.load - b.load)[0]?.value;
          expect(ranking.first()).toBe(expected);
          expect(ranking.size).toBe(placed.length);
        }
      },
    ),
  );
});

test.each([
  ["llama3:8b", "llama3:8b"],
  ["llama3:8b-q4_K_M", "llama3:8b"],
  ["llama3:8b-fp16", "llama3:8b"],
  ["llama3:8b-instruct-q4_0", "llama3:8b-instruct"],
  ["llama3:8b-instruct", "llama3:8b-instruct"],
  ["org/model:70b-awq", "org/model:70b"],
  ["gpt-4o", undefined],
  ["model:", undefined],
])("what stands in for %s shares %p", (model, key) => {
  expect(aliasKey(model)).toBe(key);
});

test("a stand-in serves only while no exact worker is ready, and only where the job allows it", () => {
  const { pool, join } = setUp();
  join("q4", ["llama:8b-q4"], 1);
  expect(pool.claim(demand("llama:8b"))).toMatchObject({ model: "llama:8b-q4" });
  expect(codeOf(() => pool.claim(demand("llama:8b", { exact: true })))).toBe("model_not_found");
  join("exact", ["llama:8b"], 1);
  expect(workerOf(pool.claim(demand("llama:8b")))).toBe("exact");
  // The exact one is busy, not gone: the job waits for it although the stand-in may be free.
  expect(pool.claim(demand("llama:8b"))).toBeUndefined();
});

test("who waits for an exact worker is given a stand-in when that worker leaves", () => {
  const { pool, join } = setUp();
  const exact = join("exact", ["llama:8b"], 1);
  join("q4", ["llama:8b-q4"], 1);
  pool.claim(demand("llama:8b"));
  const granted: Claim[] = [];
  pool.wait(
    demand("llama:8b"),
    pool.nextTicketNumber(),
    (claim) => granted.push(claim),
    () => {},
  );
  expect(granted).toEqual([]);
  pool.onClosed(exact);
  expect(granted.map(workerOf)).toEqual(["q4"]);
});

test("tickets of one model are served in order of arrival; another model's is not held up", () => {
  const { pool, join } = setUp();
  join("a", ["a"], 1);
  const busy = pool.claim(demand("a"));
  const served: string[] = [];
  for (const name of ["first", "second"])
    pool.wait(
      demand("a"),
      pool.nextTicketNumber(),
      () => served.push(name),
      () => {},
    );
  join("b", ["b"], 1);
  expect(workerOf(pool.claim(demand("b")))).toBe("b");
  busy?.release();
  expect(served).toEqual(["first"]);
});

test("a job that lost its worker has its old place again, and a full queue takes it back", () => {
  const { pool, join } = setUp({ queueSize: 1 });
  const session = join("a", ["m"], 1);
  const busy = pool.claim(demand("m"));
  const served: string[] = [];
  const early = pool.nextTicketNumber();
  pool.wait(
    demand("m"),
    pool.nextTicketNumber(),
    () => served.push("late"),
    () => {},
  );
  expect(
    codeOf(() =>
      pool.wait(
        demand("m"),
        pool.nextTicketNumber(),
        () => {},
        () => {},
      ),
    ),
  ).toBe("queue_full");
  const lost = new ScriptedSession("lost", ["m"], 1);
  pool.wait(
    demand("m", { excluded: new Set([lost]) }),
    early,
    () => served.push("early"),
    () => {},
  );
  busy?.release();
  expect(served).toEqual(["early"]);
  expect(session.closes).toEqual([]);
});

test("waiting ends at its deadline: queue_timeout while workers are busy, no_worker_available while there are none", () => {
  const { clock, pool, join } = setUp();
  const session = join("a", ["m"], 1);
  pool.claim(demand("m"));
  const faults: string[] = [];
  pool.wait(
    demand("m"),
    pool.nextTicketNumber(),
    () => {},
    (fault) => faults.push(fault.code),
  );
  clock.advance(1000);
  pool.onClosed(session);
  expect(pool.claim(demand("m"))).toBeUndefined();
  pool.wait(
    demand("m"),
    pool.nextTicketNumber(),
    () => {},
    (fault) => faults.push(`${fault.code} ${fault.retryAfterS}`),
  );
  clock.advance(1000);
  expect(faults).toEqual(["queue_timeout", "no_worker_available 5"]);
});

test("a model is known for its grace period after its last worker left, and keeps its first sight", () => {
  const { clock, pool, join } = setUp();
  const session = join("a", ["m"], 1);
  const seen = pool.firstSeenAt("m");
  pool.onClosed(session);
  clock.advance(59_999);
  expect(pool.knownModels()).toEqual(["m"]);
  clock.advance(1);
  expect(pool.knownModels()).toEqual([]);
  expect(codeOf(() => pool.claim(demand("m")))).toBe("model_not_found");
  join("a", ["m"], 1);
  expect(pool.firstSeenAt("m")).toBe(seen);
});

test("a model that is not served is told by how many workers there are, and what they offer", () => {
  const { pool, join } = setUp();
  const messageOf = (): string => {
    try {
      pool.claim(demand("m"));
    } catch (error) {
      if (error instanceof Fault && error.code === "model_not_found") return error.message;
      throw error;
    }
    return "no fault";
  };
  expect(messageOf()).toBe("The model 'm' is not served on this route: no worker for it is connected.");
  join("a", [], 0);
  expect(messageOf()).toContain("the one worker connected for it offers no model now. The state page, /state,");
  join("b", [], 0);
  expect(messageOf()).toContain("none of the 2 workers connected for it offers a model now");
  join("c", ["x", "y"], 1);
  expect(messageOf()).toBe("The model 'm' is not served on this route. Models that are: 'x', 'y'.");
});

test("a newcomer of the same worker takes over, and the old session's late end does not remove it", () => {
  const { pool, join } = setUp();
  const old = join("a", ["m"], 1);
  const held = pool.claim(demand("m"));
  const fresh = join("a", ["m"], 1);
  expect(old.closes).toEqual([{ code: 4001, reason: "replaced" }]);
  pool.onClosed(old);
  held?.release();
  expect(pool.seatOf("a")?.session).toBe(fresh);
  expect(workerOf(pool.claim(demand("m")))).toBe("a");
});

test("a demand for one worker is served by it alone", () => {
  const { pool, join } = setUp();
  join("a", ["m"], 1);
  join("b", ["m"], 1);
  expect(workerOf(pool.claim(demand("m", { workerId: "b" })))).toBe("b");
  expect(pool.claim(demand("m", { workerId: "b" }))).toBeUndefined();
  expect(codeOf(() => pool.claim(demand("m", { workerId: "c" })))).toBe("worker_not_found");
});

test("with the queue off a known model without a worker is no_worker_available, with busy ones queue_full", () => {
  const { pool, join } = setUp({ queueSize: 0 });
  const session = join("a", ["m"], 1);
  pool.claim(demand("m"));
  const wait = (): unknown =>
    pool.wait(
      demand("m"),
      pool.nextTicketNumber(),
      () => {},
      () => {},
    );
  expect(codeOf(wait)).toBe("queue_full");
  pool.onClosed(session);
  expect(codeOf(wait)).toBe("no_worker_available");
});

test("idle resolves when the last slot is given back and nobody waits", async () => {
  const { pool, join } = setUp();
  join("a", ["m"], 1);
  const claim = pool.claim(demand("m"));
  let isIdle = false;
  const idle = pool.idle().then(() => {
    isIdle = true;
  });
  await Promise.resolve();
  expect(isIdle).toBe(false);
  claim?.release();
  await idle;
  expect(isIdle).toBe(true);
});

test.each(["expires", "leaves"])("idle resolves when the last waiting job %s while no slot is held", async (how) => {
  const { clock, pool, join } = setUp();
  const session = join("a", ["m"], 1);
  pool.claim(demand("m"))?.release();
  pool.onClosed(session);
  const wait = pool.wait(
    demand("m"),
    pool.nextTicketNumber(),
    () => {},
    () => {},
  );
  let isIdle = false;
  void pool.idle().then(() => {
    isIdle = true;
  });
  await Promise.resolve();
  expect(isIdle).toBe(false);
  if (how === "expires") clock.advance(1000);
  else wait.leave();
  for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
  expect(isIdle).toBe(true);
});

test("a model or worker that a server which has just started does not know may be on its way back: 503, later 404", () => {
  const { clock, pool } = setUp({ startGraceMs: 15_000 });
  expect(codeOf(() => pool.claim(demand("m")))).toBe("no_worker_available");
  expect(codeOf(() => pool.claim(demand("m", { workerId: "w" })))).toBe("no_worker_available");
  clock.advance(15_000);
  expect(codeOf(() => pool.claim(demand("m")))).toBe("model_not_found");
  expect(codeOf(() => pool.claim(demand("m", { workerId: "w" })))).toBe("worker_not_found");
});
