import { describe, expect, spyOn, test } from "bun:test";
import { createCaller } from "../../../../src/auth/caller.ts";
import { JobCounts } from "../../../../src/cluster/pools/job-counts.ts";
import { PeerJobs, type TakenSlot } from "../../../../src/cluster/pools/peer-jobs.ts";
import { PeerWorks } from "../../../../src/cluster/pools/peer-works.ts";
import type { HeldClaim } from "../../../../src/pool/claim.ts";
import { NONE_EXCLUDED } from "../../../../src/pool/excluded.ts";
import { Pool } from "../../../../src/pool/pool.ts";
import type { Admitted } from "../../../../src/tunnel/peer-handler.ts";
import type { PeerOrder } from "../../../../src/wire/peer-heads.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { Witness } from "../../../support/native-session.ts";
import { ScriptedSession } from "../../../support/scripted-session.ts";

const ORDER: PeerOrder = { plugin: "llm", model: "m", exact: true, request_id: "r", ref: 1, caller: "alice" };
const HEAD = { method: "POST", path: "/", headers: [] };
const REQUEST = { head: HEAD, body: new Uint8Array(1) };

function setUp() {
  const clock = new FakeClock();
  const pool = new Pool({ clock, queueSize: 9, queueTimeoutMs: 9000, modelGraceMs: 9000, serverId: "b", name: "llm" });
  const works = new PeerWorks({ clock, onCounted: () => {} });
  const offered = new Map<string, TakenSlot>();
  const counts = new JobCounts();
  const takeOffered = (peer: string, slot: string) => offered.get(`${peer} ${slot}`);
  const jobs = new PeerJobs({ pool, works, counts, takeOffered });
  const join = (id: string, slots = 1): ScriptedSession => {
    const session = new ScriptedSession(id, ["m"], slots, clock);
    session.host = pool;
    pool.onOpened(session);
    return session;
  };
  const ask = (change: Partial<PeerOrder> = {}) =>
    jobs.admit({ peerId: "a", head: HEAD, order: { ...ORDER, ...change } });
  const admitted = (change: Partial<PeerOrder> = {}): Admitted => {
    const decision = ask(change);
    if (!decision.ok) throw new Error(decision.message);
    return decision;
  };
  return { counts, clock, pool, works, offered, jobs, join, ask, admitted };
}

describe("a peer's job", () => {
  test("gets a free slot of a worker here, and gives it back when it has settled", () => {
    const { pool, join, admitted } = setUp();
    const session = join("w");
    const job = admitted();
    expect(job.worker).toEqual({ id: "w", name: "w", session: session.id });
    expect(pool.busyTotal).toBe(1);
    const sink = new Witness();
    job.open(REQUEST, sink);
    expect(session.exchanges[0]?.request).toEqual(REQUEST);
    job.onEnd({ kind: "complete" }, { status: 200, headers: [] }, false);
    expect(pool.busyTotal).toBe(1);
    job.onSettled();
    expect(pool.busyTotal).toBe(0);
  });

  test("counts for its caller with the weight and the tenant that the order names", () => {
    const { pool, join, admitted } = setUp();
    join("w");
    const begun = spyOn(pool.peers, "claimForPeer");
    admitted({ class: "normal", tenant: "lab", weight: 3 });
    expect(begun.mock.calls[0]?.[0].caller).toMatchObject({ name: "alice", tenant: "lab", weight: 3, class: "normal" });
  });

  test("is refused with the number of free slots if none can serve it", () => {
    const { join, ask, counts } = setUp();
    join("w", 2);
    expect(ask({ model: "other" })).toEqual({ ok: false, code: "busy", message: "no slot is free", free: 0 });
    ask();
    ask({ ref: 2 });
    expect(ask({ ref: 3 })).toMatchObject({ ok: false, code: "busy", free: 0 });
    expect(counts).toMatchObject({ jobsIn: 2, refusedIn: 2, jobsOut: 0, refusedOut: 0 });
  });

  test("is never served under another name than the one that its body has", () => {
    const { pool, join, ask } = setUp();
    const session = join("w");
    session.changeOffer({ modelInfo: [{ id: "m", sent_as: "backend-m" }] });
    expect(ask()).toMatchObject({ ok: false, code: "busy" });
    expect(pool.busyTotal).toBe(0);
    expect(ask({ sent_as: "backend-m" })).toMatchObject({ ok: true });
  });

  test("avoids the workers that it excludes, and goes to the one that it names", () => {
    const { join, ask } = setUp();
    const [first, second] = [join("v"), join("w")];
    expect(ask({ excluded: [first.id] })).toMatchObject({ worker: { id: "w" } });
    expect(ask({ worker: "w", ref: 2 })).toMatchObject({ ok: false });
    expect(ask({ worker: "v", ref: 3 })).toMatchObject({ worker: { id: "v" } });
    expect(second.exchanges).toHaveLength(0);
  });

  test("without an order is refused", () => {
    const { jobs } = setUp();
    expect(jobs.admit({ peerId: "a", head: HEAD, order: undefined })).toMatchObject({ code: "protocol_error" });
  });
});

describe("an offered slot", () => {
  const offer = (rig: ReturnType<typeof setUp>): HeldClaim => {
    let claim: HeldClaim | undefined;
    rig.pool.peers.waitForPeer({ caller: createCaller("alice"), demand: wish() }, "a", 0, (held) => {
      claim = held;
      rig.offered.set("a 1", { claim: held, callerOf: createCaller });
    });
    if (!claim) throw new Error("no slot was offered");
    return claim;
  };

  test("serves the job that comes for it", () => {
    const rig = setUp();
    rig.join("w");
    offer(rig);
    expect(rig.ask({ ref: 2 })).toMatchObject({ ok: false, code: "busy" });
    const job = rig.admitted({ slot: "1" });
    expect(rig.pool.busyTotal).toBe(1);
    job.onEnd({ kind: "complete" }, undefined, false);
    job.onSettled();
    expect(rig.pool.busyTotal).toBe(0);
  });

  test("that is no longer held leaves its job any other free slot", () => {
    const rig = setUp();
    rig.join("w");
    expect(rig.ask({ slot: "9" })).toMatchObject({ ok: true });
  });
});

describe("the end of a peer's job", () => {
  test("counts for the worker by what was seen of it, unless the peer tells more", () => {
    const { clock, pool, join, admitted } = setUp();
    join("w");
    const job = admitted();
    job.open(REQUEST, new Witness());
    clock.advance(30);
    job.onEnd({ kind: "broken", code: "upstream_error", message: "" }, undefined, false);
    job.onSettled();
    clock.advance(5000);
    expect(pool.seatOf("w")?.totals).toMatchObject({ failures: 1, processed: 0, lastError: "upstream_error" });
  });

  test("lets a worker rest that had no slot after all", () => {
    const { clock, pool, works, join, ask, admitted } = setUp();
    join("w");
    const job = admitted();
    job.onEnd({ kind: "refused", message: "busy" }, undefined, false);
    job.onSettled();
    expect([pool.busyTotal, works.size]).toEqual([0, 0]);
    expect(ask({ ref: 2 })).toMatchObject({ ok: false, code: "busy" });
    clock.advance(250);
    expect(ask({ ref: 3 })).toMatchObject({ ok: true });
  });
});

function wish() {
  return { model: "m", exact: true, excluded: NONE_EXCLUDED };
}
