import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type Caller, createCaller } from "../../../src/auth/caller.ts";
import { Job } from "../../../src/pool/job.ts";
import type { JobEnd } from "../../../src/pool/job-spec.ts";
import { FairQueue } from "../../../src/pool/policies/fair/fair-queue.ts";
import { Pool } from "../../../src/pool/pool.ts";
import { Soonest } from "../../../src/pool/routing/soonest.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { type ScriptedExchange, ScriptedSession } from "../../support/scripted-session.ts";

const GRACE_MS = 30_000;

function callerOf(tenant: string, prefer?: "own"): Caller {
  return { ...createCaller(`key of ${tenant}`), tenant, ...(prefer && { prefer }) };
}

function setUp(onHealth?: () => void) {
  const clock = new FakeClock();
  const pool = new Pool({
    clock,
    queueSize: 100,
    queueTimeoutMs: 60_000,
    modelGraceMs: GRACE_MS,
    serverId: "s",
    name: "llm",
    createPolicy: (host) => new FairQueue({ capacity: 100, clock, costOf: () => 1 }, host),
    routePolicy: new Soonest(),
    ...(onHealth && { onHealth }),
  });
  const connect = (id: string, tenants?: readonly string[], slots = 1, models = ["m"]): ScriptedSession => {
    const session = new ScriptedSession(id, models, slots, clock);
    if (tenants) session.offer = { ...session.offer, tenants: new Set(tenants) };
    session.host = pool;
    pool.onOpened(session);
    return session;
  };
  const start = (caller: Caller, model = "m", workerId?: string) => {
    const run = { caller, end: undefined as JobEnd | undefined, worker: undefined as string | undefined };
    const sink = { onHead: () => {}, onData: () => {}, onEnd: (end: JobEnd) => void Object.assign(run, { end }) };
    const spec = {
      requestId: "r",
      caller,
      kind: "chat.completions",
      model,
      workerId,
      exact: false,
      silenceMs: 1e9,
      stallMs: 1e9,
      request: (claim: { readonly worker: { readonly id: string } }) => {
        run.worker = claim.worker.id;
        return { head: { method: "POST", path: "/", headers: [] }, body: new Uint8Array(0) };
      },
    };
    const job = new Job(pool, clock, spec, sink, () => {});
    job.start();
    return Object.assign(run, { job });
  };
  return { clock, pool, connect, start };
}

function finish(exchange: ScriptedExchange | undefined): void {
  exchange?.head({ status: 200, headers: [] });
  exchange?.end();
}

const codeOf = ({ end }: { readonly end: JobEnd | undefined }): string | undefined =>
  end?.kind === "failed" ? end.fault.code : end?.kind;

describe("a worker for certain tenants", () => {
  test("serves their callers and no others, for whom its model does not exist", () => {
    const { connect, start, pool } = setUp();
    connect("gpu", ["research"]);
    expect(start(callerOf("research")).worker).toBe("gpu");
    const other = start(callerOf("sales"));
    expect(codeOf(other)).toBe("model_not_found");
    expect(other.end?.kind === "failed" && other.end.fault.message).not.toContain("'m'.");
    expect(pool.models.isServedFor("m", "research")).toBe(true);
    expect(pool.models.isServedFor("m", "sales")).toBe(false);
  });

  test("is not reached by its id or by another name of its model either", () => {
    const { connect, start } = setUp();
    connect("gpu", ["research"], 4, ["llama3:8b-instruct-q4_K_M"]);
    expect(start(callerOf("research"), "llama3:8b").worker).toBe("gpu");
    expect(codeOf(start(callerOf("sales"), "llama3:8b"))).toBe("model_not_found");
    expect(codeOf(start(callerOf("sales"), "llama3:8b-instruct-q4_K_M", "gpu"))).toBe("worker_not_found");
  });

  test("leaves waiting callers of other tenants to other workers, whichever came first", () => {
    const { connect, start } = setUp();
    const open = connect("open");
    const own = connect("own", ["research"]);
    const running = [start(callerOf("sales")), start(callerOf("research"))];
    expect(running.map(({ worker }) => worker).sort()).toEqual(["open", "own"]);
    const [first, second] = [start(callerOf("sales")), start(callerOf("research"))];
    finish(own.exchanges[0]);
    expect([first.worker, second.worker]).toEqual([undefined, "own"]);
    finish(open.exchanges[0]);
    expect(first.worker).toBe("open");
  });

  test("is awaited by its tenant for a while after it has left, and by nobody else", () => {
    const { clock, connect, start } = setUp();
    const gpu = connect("gpu", ["research"]);
    gpu.close({ code: 1000, reason: "bye" });
    const waiting = start(callerOf("research"));
    expect(waiting.end).toBeUndefined();
    expect(codeOf(start(callerOf("sales")))).toBe("model_not_found");
    connect("gpu", ["research"]);
    expect(waiting.worker).toBe("gpu");
    clock.advance(GRACE_MS);
  });

  test("serves other tenants once its key is for all, and no longer once it is not", () => {
    const { connect, start, pool } = setUp();
    const gpu = connect("gpu", ["research"], 2);
    const { tenants: _, ...open } = gpu.offer;
    gpu.offer = open;
    pool.onOfferChange(gpu);
    expect(start(callerOf("sales")).worker).toBe("gpu");
    gpu.offer = { ...open, tenants: new Set(["research"]) };
    pool.onOfferChange(gpu);
    expect(start(callerOf("sales")).worker).toBeUndefined();
    expect(start(callerOf("research")).worker).toBe("gpu");
  });
});

test("a worker is taken out of service only if another one serves some of the same tenants", () => {
  for (const [others, times] of [
    [["sales"], 0],
    [["sales", "research"], 1],
    [undefined, 1],
  ] as const) {
    let ejections = 0;
    const { connect, start } = setUp(() => {
      ejections += 1;
    });
    connect("other", others);
    const gpu = connect("gpu", ["research"]);
    for (let each = 0; each < 5; each += 1) {
      start(callerOf("research"), "m", "gpu");
      gpu.exchanges.at(-1)?.head({ status: 500, headers: [] });
      gpu.exchanges.at(-1)?.end();
    }
    expect(ejections).toBe(times);
  }
});

test("a key that prefers its own goes to a worker of its tenant while one is free, and elsewhere only then", () => {
  const { connect, start } = setUp();
  connect("open", undefined, 4);
  connect("own", ["research"], 1);
  const workers = [0, 1, 2].map(() => start(callerOf("research", "own")).worker);
  expect(workers).toEqual(["own", "open", "open"]);
  // Without the wish, the least busy worker comes first.
  const { connect: connectTo, start: begin } = setUp();
  connectTo("own", ["research"], 4);
  connectTo("open", undefined, 4);
  expect(new Set([0, 1].map(() => begin(callerOf("research")).worker)).size).toBe(2);
});

test("whatever comes and goes, no worker gets a job of a tenant that it does not serve, and none waits beside a free one", () => {
  const tenants = ["a", "b", "default"];
  const bound = fc.option(fc.subarray(tenants, { minLength: 1 }), { nil: undefined });
  const step = fc.oneof(
    fc.record({ kind: fc.constant("connect" as const), at: fc.nat(3), bound, slots: fc.integer({ min: 1, max: 3 }) }),
    fc.record({ kind: fc.constant("leave" as const), at: fc.nat(3) }),
    fc.record({ kind: fc.constant("start" as const), tenant: fc.constantFrom(...tenants), isOwn: fc.boolean() }),
    fc.record({ kind: fc.constant("finish" as const), at: fc.nat(20) }),
    fc.record({ kind: fc.constant("bind" as const), at: fc.nat(3), bound }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: "max" }), (steps) => {
      const { pool, connect, start } = setUp();
      const sessions = new Map<number, ScriptedSession>();
      const runs: ReturnType<typeof start>[] = [];
      const exchanges = (): ScriptedExchange[] => [...sessions.values()].flatMap((each) => [...each.exchanges]);
      for (const each of steps) {
        if (each.kind === "connect") {
          sessions.get(each.at)?.close({ code: 1000, reason: "" });
          sessions.set(each.at, connect(`w${each.at}`, each.bound, each.slots));
        } else if (each.kind === "leave") {
          sessions.get(each.at)?.close({ code: 1000, reason: "" });
          sessions.delete(each.at);
        } else if (each.kind === "start") {
          const run = start(callerOf(each.tenant, each.isOwn ? "own" : undefined));
          runs.push(run);
          const session = [...sessions.values()].find(({ worker }) => worker.id === run.worker);
          expect(session?.offer.tenants?.has(each.tenant) ?? true).toBe(true);
        } else if (each.kind === "finish") {
          const before = new Map(runs.map((run) => [run, run.worker]));
          const all = exchanges();
          finish(all[each.at % Math.max(1, all.length)]);
          for (const run of runs) {
            if (run.worker === before.get(run)) continue;
            const session = [...sessions.values()].find(({ worker }) => worker.id === run.worker);
            expect(session?.offer.tenants?.has(run.caller.tenant) ?? true).toBe(true);
          }
        } else {
          const session = sessions.get(each.at);
          if (!session) continue;
          const { tenants: _, ...open } = session.offer;
          session.offer = each.bound ? { ...open, tenants: new Set(each.bound) } : open;
          pool.onOfferChange(session);
        }
        for (const { end, job, caller } of runs) {
          if (end !== undefined || !job.isWaiting) continue;
          const isFree = [...pool.seats()].some(
            ({ hasRoom, session: { offer } }) => hasRoom && (offer.tenants?.has(caller.tenant) ?? true),
          );
          expect(isFree).toBe(false);
        }
      }
    }),
    { numRuns: 200 },
  );
});
