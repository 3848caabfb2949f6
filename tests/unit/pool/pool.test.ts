import { expect, test } from "bun:test";
import fc from "fast-check";
import { ANONYMOUS } from "../../../src/auth/caller.ts";
import { Fault } from "../../../src/errors.ts";
import type { Claim } from "../../../src/pool/claim.ts";
import type { Demand } from "../../../src/pool/directory.ts";
import { NONE_EXCLUDED, withSession } from "../../../src/pool/excluded.ts";
import { Pool } from "../../../src/pool/pool.ts";
import type { JobTicket } from "../../../src/pool/ticket.ts";
import type { Wait } from "../../../src/pool/waits.ts";
import { defaultConfig } from "../../support/default-config.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { ScriptedSession } from "../../support/scripted-session.ts";
import { times } from "../../support/times.ts";

function setUp(
  options: { queueSize?: number; queueTimeoutMs?: number; startGraceMs?: number; modelGraceMs?: number } = {},
) {
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
  const ticket = (model: string, more: Partial<Demand> = {}): JobTicket =>
    pool.issueTicket({ caller: ANONYMOUS, demand: demand(model, more) }, clock.elapsed());
  const claim = (model: string, more: Partial<Demand> = {}): Claim | undefined => pool.claim(ticket(model, more));
  const wait = (
    what: JobTicket | string,
    granted: (claim: Claim) => void = () => {},
    failed: (fault: Fault) => void = () => {},
  ): Wait => pool.wait(typeof what === "string" ? ticket(what) : what, granted, failed);
  return { clock, pool, join, ticket, claim, wait };
}

const demand = (model: string, more: Partial<Demand> = {}): Demand => ({
  model,
  exact: false,
  excluded: NONE_EXCLUDED,
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

const workerOf = (claim: Claim | undefined): string | undefined => claim?.worker.id;

test("in any order of events no worker exceeds its slots, no job is served twice, and nothing is left over", () => {
  const models = ["a", "a:latest", "b", "llama:8b", "llama:8b-q4", "llama:8b-text"];
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
    fc.record({ kind: fc.constant("refuse" as const), at: fc.nat() }),
    fc.record({ kind: fc.constant("abandon" as const), at: fc.nat() }),
    fc.record({ kind: fc.constant("pass" as const), ms: fc.constantFrom(1, 250, 500, 1000) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const { clock, pool, join, ticket } = setUp();
      const here = new Map<number, ScriptedSession>();
      const held: Claim[] = [];
      const waiting = new Map<JobTicket, Wait>();
      const heldOf = (seat: { readonly session: { readonly worker: { readonly id: string } } }): number =>
        held.filter((claim) => claim.worker === seat.session.worker).length;
      const check = (): void => {
        for (const seat of pool.seats()) expect(seat.busy).toBe(heldOf(seat));
        expect(pool.busyTotal).toBe(held.length);
        expect(pool.queueLength).toBe(waiting.size);
        // A ticket waits only if no suitable slot is free.
        for (const each of waiting.keys()) expect(pool.hasRoomFor(each)).toBe(false);
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
            const were = held.filter((claim) => claim.worker === session.worker).length;
            session.offer = { ...session.offer, models: each.models, maxConcurrency: Math.max(each.slots, were) };
            pool.onOfferChange(session);
            break;
          }
          case "ask": {
            const asked = ticket(each.model, { exact: each.exact });
            try {
              const claim = pool.claim(asked);
              if (claim) {
                held.push(claim);
                break;
              }
              const wait = pool.wait(
                asked,
                (granted) => {
                  expect(waiting.delete(asked)).toBe(true);
                  held.push(granted);
                },
                () => expect(waiting.delete(asked)).toBe(true),
              );
              waiting.set(asked, wait);
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
          case "refuse": {
            const claim = held.splice(each.at % Math.max(1, held.length), 1)[0];
            claim?.refuse();
            claim?.release();
            break;
          }
          case "abandon": {
            const [ticket, wait] = [...waiting][each.at % Math.max(1, waiting.size)] ?? [];
            if (ticket && wait) {
              waiting.delete(ticket);
              wait.leave();
            }
            break;
          }
          default:
            clock.advance(each.ms);
        }
        for (const seat of pool.seats()) expect(seat.busy).toBeLessThanOrEqual(Math.max(seat.capacity, heldOf(seat)));
        check();
      }
      for (const session of here.values()) pool.onClosed(session);
      for (const claim of held.splice(0)) claim.release();
      clock.advance(10_000);
      expect(waiting.size).toBe(0);
      expect([pool.busyTotal, pool.queueLength, [...pool.seats()].length, clock.pending]).toEqual([0, 0, 0, 0]);
    }),
    { numRuns: times(500) },
  );
});

test("the worker with the lowest share of busy slots is chosen, and among equals the one idle longest", () => {
  const { join, claim } = setUp();
  join("big", ["m"], 4);
  join("small", ["m"], 2);
  const order = Array.from({ length: 6 }, () => workerOf(claim("m")));
  expect(order).toEqual(["big", "small", "big", "small", "big", "big"]);
  expect(claim("m")).toBeUndefined();
});

test("among idle workers the one idle longest is chosen", () => {
  const { join, claim } = setUp();
  join("a", ["m"], 1);
  join("b", ["m"], 1);
  const first = claim("m");
  first?.release();
  expect(workerOf(first)).toBe("a");
  expect(workerOf(claim("m"))).toBe("b");
});

test("a substitute serves only while no exact worker is ready, and only if the job allows it", () => {
  const { join, claim } = setUp();
  join("q4", ["llama:8b-q4"], 1);
  expect(claim("llama:8b")).toMatchObject({ model: "llama:8b-q4" });
  expect(codeOf(() => claim("llama:8b", { exact: true }))).toBe("model_not_found");
  join("exact", ["llama:8b"], 1);
  expect(workerOf(claim("llama:8b"))).toBe("exact");
  // The exact one is busy, not gone: the job waits for it although the stand-in may be free.
  expect(claim("llama:8b")).toBeUndefined();
});

test("a job that waits for an exact worker gets a substitute when that worker leaves", () => {
  const { pool, join, claim, wait } = setUp();
  const exact = join("exact", ["llama:8b"], 1);
  join("q4", ["llama:8b-q4"], 1);
  claim("llama:8b");
  const granted: Claim[] = [];
  wait("llama:8b", (claim) => granted.push(claim));
  expect(granted).toEqual([]);
  pool.onClosed(exact);
  expect(granted.map(workerOf)).toEqual(["q4"]);
});

test("a name without a tag finds the tag 'latest', also where only the very model will do", () => {
  const { join, claim } = setUp();
  join("ollama", ["llama3.2:latest", "bge-m3:latest", "qwen3:8b"], 9);
  for (const name of ["llama3.2", "library/llama3.2", "registry.ollama.ai/library/llama3.2:latest"])
    expect(claim(name)).toMatchObject({ model: "llama3.2:latest" });
  expect(claim("bge-m3", { exact: true })).toMatchObject({ model: "bge-m3:latest" });
  expect(claim("library/qwen3:8b", { exact: true })).toMatchObject({ model: "qwen3:8b" });
  expect(codeOf(() => claim("qwen3"))).toBe("model_not_found");
  expect(codeOf(() => claim("other:latest"))).toBe("model_not_found");
});

test("the very name wins over the tag 'latest', which wins over stand-ins", () => {
  const { join, claim } = setUp();
  join("plain", ["m"], 1);
  join("tagged", ["m:latest", "m:latest-q4"], 9);
  join("untagged", ["n"], 1);
  expect(workerOf(claim("m"))).toBe("plain");
  // The plain one is busy, not gone.
  expect(claim("m")).toBeUndefined();
  expect(claim("m:latest")).toMatchObject({ model: "m:latest" });
  expect(codeOf(() => claim("n:latest"))).toBe("model_not_found");
});

test("of several stand-ins the best that is free serves: another quantization, then one tuned for chat, then the first by name", () => {
  const { join, claim, pool } = setUp();
  const names = ["qwen:7b-base", "qwen:7b-text", "qwen:7b-instruct-q4_K_M", "qwen:7b-q8_0"];
  const sessions = names.map((name) => join(name, [name], 1));
  const order = names.map(() => claim("qwen:7b")?.model);
  expect(order).toEqual(["qwen:7b-q8_0", "qwen:7b-instruct-q4_K_M", "qwen:7b-base", "qwen:7b-text"]);
  expect(pool.models.resolve(demand("qwen:7b"))).toBe("qwen:7b-q8_0");
  sessions.at(-1)?.vanish();
  expect(pool.models.resolve(demand("qwen:7b"))).toBe("qwen:7b-instruct-q4_K_M");
  expect(pool.models.resolve(demand("qwen:7b", { exact: true }))).toBeUndefined();
});

test("a job that waits for an untagged name gets the model when its worker comes", () => {
  const { join, claim, wait } = setUp();
  const session = join("ollama", ["m:latest"], 1);
  claim("m");
  const granted: string[] = [];
  wait("m", ({ model }) => granted.push(model));
  wait("library/m", ({ model }) => granted.push(model));
  session.vanish();
  join("ollama", ["m:latest"], 2);
  expect(granted).toEqual(["m:latest", "m:latest"]);
});

test("tickets of one model are served in order of arrival, without delaying another model's", () => {
  const { join, claim, wait } = setUp();
  join("a", ["a"], 1);
  const busy = claim("a");
  const served: string[] = [];
  for (const name of ["first", "second"]) wait("a", () => served.push(name));
  join("b", ["b"], 1);
  expect(workerOf(claim("b"))).toBe("b");
  busy?.release();
  expect(served).toEqual(["first"]);
});

test("a job that lost its worker gets its old place back, even in a full queue", () => {
  const { join, ticket, claim, wait } = setUp({ queueSize: 1 });
  const session = join("a", ["m"], 1);
  const busy = claim("m");
  const served: string[] = [];
  const early = ticket("m");
  wait("m", () => served.push("late"));
  expect(codeOf(() => wait("m"))).toBe("queue_full");
  early.wasAccepted = true;
  early.demand = demand("m", { excluded: withSession(NONE_EXCLUDED, "lost") });
  wait(early, () => served.push("early"));
  busy?.release();
  expect(served).toEqual(["early"]);
  expect(session.closes).toEqual([]);
});

test("a wait ends at its deadline with queue_timeout if workers are busy, and with no_worker_available if there are none", () => {
  const { clock, pool, join, claim, wait } = setUp();
  const session = join("a", ["m"], 1);
  claim("m");
  const faults: string[] = [];
  wait("m", undefined, (fault) => faults.push(fault.code));
  clock.advance(1000);
  pool.onClosed(session);
  expect(claim("m")).toBeUndefined();
  wait("m", undefined, (fault) => faults.push(`${fault.code} ${fault.retryAfterS}`));
  clock.advance(1000);
  expect(faults).toEqual(["queue_timeout", "no_worker_available 5"]);
});

test("a model stays known for a grace period after its last worker left, with the time it was first seen", () => {
  const { clock, pool, join, claim } = setUp();
  const session = join("a", ["m"], 1);
  const seen = pool.models.firstSeenAt("m");
  pool.onClosed(session);
  clock.advance(59_999);
  expect(pool.models.known()).toEqual(["m"]);
  clock.advance(1);
  expect(pool.models.known()).toEqual([]);
  expect(codeOf(() => claim("m"))).toBe("model_not_found");
  join("a", ["m"], 1);
  expect(pool.models.firstSeenAt("m")).toBe(seen);
});

test("the error for an unserved model says how many workers are connected and what they offer", () => {
  const { join, claim } = setUp();
  const messageOf = (): string => {
    try {
      claim("m");
    } catch (error) {
      if (error instanceof Fault && error.code === "model_not_found") return error.message;
      throw error;
    }
    return "no fault";
  };
  expect(messageOf()).toBe("The model 'm' is not served on this route: no worker is connected.");
  join("a", [], 0);
  expect(messageOf()).toContain("1 worker is connected, but it serves no model right now. The dashboard at /state");
  join("b", [], 0);
  expect(messageOf()).toContain("2 workers are connected, but none serves a model right now");
  join("c", ["x", "y"], 1);
  expect(messageOf()).toBe("The model 'm' is not served on this route. Available models: 'x', 'y'.");
});

test("a worker's new session takes over, and the old session's late end does not remove it", () => {
  const { pool, join, claim } = setUp();
  const old = join("a", ["m"], 1);
  const held = claim("m");
  const fresh = join("a", ["m"], 1);
  expect(old.closes).toEqual([{ code: 4001, reason: "replaced" }]);
  pool.onClosed(old);
  held?.release();
  expect(pool.seatOf("a")?.session).toBe(fresh);
  expect(workerOf(claim("m"))).toBe("a");
});

test("a job for one worker is served by that worker alone", () => {
  const { join, claim } = setUp();
  join("a", ["m"], 1);
  join("b", ["m"], 1);
  expect(workerOf(claim("m", { workerId: "b" }))).toBe("b");
  expect(claim("m", { workerId: "b" })).toBeUndefined();
  expect(codeOf(() => claim("m", { workerId: "c" }))).toBe("worker_not_found");
});

test("without a queue, a known model without workers gives no_worker_available, and one with busy workers queue_full", () => {
  const { pool, join, claim, wait } = setUp({ queueSize: 0 });
  const session = join("a", ["m"], 1);
  claim("m");
  expect(codeOf(() => wait("m"))).toBe("queue_full");
  pool.onClosed(session);
  expect(codeOf(() => wait("m"))).toBe("no_worker_available");
});

test("idle resolves when the last slot is released and nothing waits", async () => {
  const { pool, join, claim } = setUp();
  join("a", ["m"], 1);
  const held = claim("m");
  let isIdle = false;
  const idle = pool.idle().then(() => {
    isIdle = true;
  });
  await Promise.resolve();
  expect(isIdle).toBe(false);
  held?.release();
  await idle;
  expect(isIdle).toBe(true);
});

test.each(["expires", "leaves"])("idle resolves when the last waiting job %s while no slot is held", async (how) => {
  const { clock, pool, join, claim, wait } = setUp();
  const session = join("a", ["m"], 1);
  claim("m")?.release();
  pool.onClosed(session);
  const waiting = wait("m");
  let isIdle = false;
  void pool.idle().then(() => {
    isIdle = true;
  });
  await Promise.resolve();
  expect(isIdle).toBe(false);
  if (how === "expires") clock.advance(1000);
  else waiting.leave();
  for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
  expect(isIdle).toBe(true);
});

test("shortly after the start a job for an unknown model waits for its worker, and gets 503 if none comes in time", () => {
  const { clock, join, claim, wait } = setUp({ startGraceMs: 15_000, queueTimeoutMs: 60_000 });
  expect(claim("m")).toBeUndefined();
  const granted: (string | undefined)[] = [];
  const failed: string[] = [];
  wait("m", (given) => granted.push(workerOf(given)));
  wait(
    "other",
    () => {},
    (fault) => failed.push(fault.code),
  );
  clock.advance(9000);
  join("w1", ["m"], 1);
  expect(granted).toEqual(["w1"]);
  // Its worker is here and busy, so this one waits like any other.
  wait("m", (given) => granted.push(workerOf(given)));
  clock.advance(6000);
  expect(failed).toEqual(["no_worker_available"]);
  expect(granted).toEqual(["w1"]);
  expect(codeOf(() => claim("other"))).toBe("model_not_found");
});

test("shortly after the start a job for an unknown worker waits too, and later gets 404", () => {
  const { clock, ticket, wait, pool, join } = setUp({ startGraceMs: 15_000, queueTimeoutMs: 60_000 });
  const granted: (string | undefined)[] = [];
  const toWorker = (): JobTicket => ticket("m", { workerId: "w" });
  expect(pool.claim(toWorker())).toBeUndefined();
  wait(toWorker(), (given) => granted.push(workerOf(given)));
  join("other", ["m"], 1);
  expect(granted).toEqual([]);
  join("w", ["m"], 1);
  expect(granted).toEqual(["w"]);
  clock.advance(15_000);
  expect(codeOf(() => pool.claim(ticket("m", { workerId: "missing" })))).toBe("worker_not_found");
});

test("a job that waits until its model is forgotten is not told that the server has just started", () => {
  const { clock, join, pool, wait } = setUp({ modelGraceMs: 10_000, queueTimeoutMs: 30_000, startGraceMs: 15_000 });
  clock.advance(15_000);
  pool.onClosed(join("w", ["m"], 1));
  const faults: Fault[] = [];
  wait(
    "m",
    () => {},
    (fault) => faults.push(fault),
  );
  clock.advance(30_000);
  expect(faults.map(({ code }) => code)).toEqual(["no_worker_available"]);
  expect(faults[0]?.message).toContain("is ready right now");
});

test("a queue that is switched off gives 503 for an unknown model shortly after the start", () => {
  const { claim, wait } = setUp({ startGraceMs: 15_000, queueSize: 0 });
  expect(claim("m")).toBeUndefined();
  expect(codeOf(() => wait("m"))).toBe("no_worker_available");
});

test("a client that waits and retries as the SDKs do gets 503 each time after the last worker has left, and 404 only after ten minutes", () => {
  const { modelGraceMs, queueTimeoutMs, startGraceMs } = defaultConfig();
  const { clock, pool, join, claim, wait } = setUp({ modelGraceMs, queueTimeoutMs, startGraceMs });
  clock.advance(startGraceMs);
  expect(codeOf(() => claim("never"))).toBe("model_not_found");
  pool.onClosed(join("w", ["m"], 1));
  const startedAt = clock.elapsed();
  // The official SDKs retry twice. Clients that retry more often are covered as well.
  for (let attempt = 0; attempt < 5; attempt += 1) {
    const faults: Fault[] = [];
    expect(claim("m")).toBeUndefined();
    wait(
      "m",
      () => {},
      (fault) => faults.push(fault),
    );
    clock.advance(queueTimeoutMs);
    expect(faults.map(({ code }) => code)).toEqual(["no_worker_available"]);
    expect(faults[0]?.retryAfterS).toBe(5);
    clock.advance(5000);
  }
  clock.advance(10 * 60_000 - (clock.elapsed() - startedAt));
  expect(codeOf(() => claim("m"))).toBe("model_not_found");
});
