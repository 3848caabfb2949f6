import { describe, expect, test } from "bun:test";
import { createCaller } from "../../../src/auth/caller.ts";
import { Fault } from "../../../src/errors.ts";
import { NONE_EXCLUDED, withSession } from "../../../src/pool/excluded.ts";
import { Soonest } from "../../../src/pool/routing/soonest.ts";
import { RemoteRig } from "../../support/remote-rig.ts";

const WORKER = { id: "w", name: "w", session: "b~w" };

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof Fault) return error.code;
    throw error;
  }
  return "no fault";
}

describe("choosing", () => {
  test("a worker of this server with room goes before workers of peers", () => {
    const rig = new RemoteRig();
    const own = rig.join("own", ["m"]);
    rig.remotes.add("b", "w", ["m"], 10);
    rig.start();
    expect(own.exchanges).toHaveLength(1);
    expect(rig.remotes.exchanges).toHaveLength(0);
  });

  test("a job whose workers here are busy goes to the peer with the most free slots", () => {
    const rig = new RemoteRig();
    rig.join("own", ["m"]);
    rig.remotes.add("b", "few", ["m"], 1);
    rig.remotes.add("c", "many", ["m"], 5);
    rig.start();
    const { reports } = rig.start();
    expect(rig.remotes.last.server).toBe("c");
    rig.answer("many");
    expect(reports).toMatchObject([
      {
        end: { kind: "complete" },
        attempts: 1,
        claim: { worker: { id: "many", name: "many", server: "c" }, sessionId: "c~many", route: { reason: "peer" } },
      },
    ]);
  });

  test("jobs that were sent since a peer told of its slots count as held there", () => {
    const rig = new RemoteRig();
    rig.remotes.add("b", "w", ["m"], 2);
    for (const _ of [1, 2, 3]) rig.start();
    expect(rig.remotes.exchanges).toHaveLength(2);
    expect(rig.pool.queueLength).toBe(1);
    expect(rig.remotes.wanted.size).toBe(1);
  });

  test("a stand-in serves a job only if no server has the model that was named", () => {
    const rig = new RemoteRig();
    const standIn = rig.join("own", ["llama3:8b-q4"]);
    const exact = rig.remotes.add("b", "w", ["llama3:8b"]);
    rig.start("llama3:8b");
    expect(rig.remotes.last.group.model).toBe("llama3:8b");
    // The peer's slot is taken now, and the job waits for it beside a free stand-in.
    rig.start("llama3:8b");
    expect(standIn.exchanges).toHaveLength(0);
    expect(rig.pool.queueLength).toBe(1);
    rig.remotes.remove(exact);
    rig.pool.peers.onRemotesChange(["llama3:8b"]);
    expect(standIn.exchanges).toHaveLength(1);
  });

  test("a stand-in of a peer serves a job that nobody else can", () => {
    const rig = new RemoteRig();
    rig.remotes.add("b", "w", ["llama3:8b-q4"]);
    const { reports } = rig.start("llama3:8b");
    expect(rig.remotes.last.group.model).toBe("llama3:8b-q4");
    rig.answer();
    expect(reports[0]?.claim?.model).toBe("llama3:8b-q4");
    expect(codeOf(() => rig.pool.claim(rig.pool.issueTicket(wish("llama3:8b", true), 0)))).toBe("model_not_found");
  });

  test("a request is written for the workers of the group that was chosen", () => {
    const rig = new RemoteRig();
    const worker = rig.remotes.add("b", "w", ["m"]);
    Object.assign(worker, { sentAs: "backend-m", hostInfo: { backend_family: "vllm" }, embeddingBatchSize: 7 });
    const claim = rig.pool.claim(rig.pool.issueTicket(wish("m"), 0));
    expect(claim).toMatchObject({
      model: "m",
      sentAs: "backend-m",
      hostInfo: { backend_family: "vllm" },
      embeddingBatchSize: 7,
    });
  });

  test("a prompt that a peer's worker has in its cache goes there, unless that worker is much busier", () => {
    const rig = new RemoteRig({ routePolicy: new Soonest() });
    const own = rig.join("own", ["m"], 4);
    const warm = rig.remotes.add("b", "w", ["m"], 4);
    const affinity = { candidates: () => [{ sessionId: "b~w", share: 0.8, source: "prefix" as const }] };
    const { job } = rig.start("m", { affinity });
    expect(rig.remotes.last.server).toBe("b");
    expect(job.claim?.route).toEqual({ reason: "prefix", share: 0.8 });
    warm.told = 3;
    rig.start("m", { affinity });
    expect(own.exchanges).toHaveLength(1);
    expect(rig.remotes.exchanges).toHaveLength(1);
  });

  test.each([
    ["knows less than half of it", "b~w", 0.4, 0],
    ["has gone", "b~gone", 1, 0],
    ["has no free slot", "b~w", 1, 1],
  ])("a prompt stays at its server if the peer's worker that knows it %s", (_, sessionId, share, told) => {
    const rig = new RemoteRig({ routePolicy: new Soonest() });
    const own = rig.join("own", ["m"], 4);
    rig.remotes.add("b", "w", ["m"]).told = told;
    rig.start("m", { affinity: { candidates: () => [{ sessionId, share, source: "prefix" as const }] } });
    expect([own.exchanges.length, rig.remotes.exchanges.length]).toEqual([1, 0]);
  });

  test("a job that names its worker goes to the server that the worker is connected to", () => {
    const rig = new RemoteRig();
    rig.join("own", ["m"]);
    rig.remotes.add("b", "other", ["m"]);
    rig.remotes.add("c", "named", ["m"]);
    const { reports } = rig.start("m", { workerId: "named" });
    expect(rig.remotes.last.server).toBe("c");
    expect(rig.remotes.last.sent.ticket.demand.workerId).toBe("named");
    rig.answer("named");
    expect(reports).toMatchObject([{ claim: { route: { reason: "named" } } }]);
  });

  test("a job that names a busy worker of a peer waits for it alone", () => {
    const rig = new RemoteRig();
    const named = rig.remotes.add("b", "named", ["m"]);
    named.told = 1;
    rig.start("m", { workerId: "named" });
    rig.remotes.add("c", "other", ["m"]);
    rig.pool.peers.onRemotesChange(["m"]);
    expect(rig.remotes.exchanges).toHaveLength(0);
    named.told = 0;
    rig.pool.peers.onRemotesChange(["m"]);
    expect(rig.remotes.last.server).toBe("b");
  });
});

describe("names", () => {
  test("what peers serve is known, listed and resolved like what this server serves", () => {
    const rig = new RemoteRig();
    rig.join("own", ["a"]);
    rig.remotes.add("b", "w", ["a", "z:8b-q4"]);
    rig.remotes.firstSeen.set("a", 1);
    expect(rig.pool.models.known()).toEqual(["a", "z:8b-q4"]);
    expect(rig.pool.models.served()).toEqual(["a", "z:8b-q4"]);
    expect(rig.pool.models.firstSeenAt("a")).toBe(1);
    expect(rig.pool.models.workersOf("a")).toBe(2);
    expect(rig.pool.models.resolve({ model: "z:8b", exact: false, excluded: NONE_EXCLUDED })).toBe("z:8b-q4");
  });

  test("a model that only peers know waits or is not ready, and one that nobody knows is not found", () => {
    const rig = new RemoteRig();
    rig.remotes.remembered.models.add("gone");
    const { job, ends } = rig.start("gone");
    expect(job.isWaiting).toBe(true);
    rig.clock.advance(10_000);
    expect(ends).toMatchObject([{ kind: "failed", fault: { code: "no_worker_available" } }]);
    expect(rig.start("never").ends).toMatchObject([{ kind: "failed", fault: { code: "model_not_found" } }]);
  });

  test("an unknown model is not refused for good while a peer has yet to tell what it serves", () => {
    const rig = new RemoteRig();
    rig.remotes.isSettled = false;
    expect(rig.start("m").ends).toMatchObject([{ fault: { code: "no_worker_available", status: 503 } }]);
    rig.remotes.isSettled = true;
    expect(rig.start("m").ends).toMatchObject([{ fault: { code: "model_not_found" } }]);
  });

  test("a worker that is connected nowhere is not found, and one that just left a peer is waited for", () => {
    const rig = new RemoteRig();
    rig.remotes.add("b", "w", ["m"]);
    rig.remotes.remembered.workers.add("left");
    expect(rig.start("m", { workerId: "nobody" }).ends).toMatchObject([{ fault: { code: "worker_not_found" } }]);
    expect(rig.start("m", { workerId: "left" }).job.isWaiting).toBe(true);
  });
});

describe("a refusal", () => {
  test("of a peer sends the job to another one, and counts as no attempt", () => {
    const rig = new RemoteRig();
    rig.remotes.add("b", "w1", ["m"], 2);
    rig.remotes.add("c", "w2", ["m"], 1);
    const { reports } = rig.start();
    rig.remotes.last.exchange.finish({ kind: "refused", message: "busy", free: 0 });
    expect(rig.remotes.exchanges.map(({ server, ending }) => [server, ending])).toEqual([
      ["b", "refused"],
      ["c", undefined],
    ]);
    rig.answer("w2");
    expect(reports).toMatchObject([{ attempts: 1, refusals: 1, claim: { worker: { id: "w2", server: "c" } } }]);
  });

  test("is followed by three more tries at most before the job waits", () => {
    const rig = new RemoteRig();
    for (const server of ["b", "c", "d", "e"]) rig.remotes.add(server, `w-${server}`, ["m"]);
    const { job } = rig.start();
    for (const _ of [1, 2, 3]) rig.remotes.last.exchange.finish({ kind: "refused", message: "busy" });
    expect(rig.remotes.exchanges).toHaveLength(3);
    expect(job.isWaiting).toBe(true);
    rig.clock.advance(250);
    expect(rig.remotes.exchanges).toHaveLength(4);
    expect(job.isWaiting).toBe(false);
  });
});

describe("a failure before the first byte", () => {
  test("of a worker excludes that worker, not the others of its server", () => {
    const rig = new RemoteRig();
    rig.remotes.add("b", "w", ["m"], 1);
    rig.remotes.add("b", "v", ["m"], 1);
    const { reports } = rig.start();
    rig.remotes.last.exchange.finish({ kind: "lost", reason: "gone", worker: WORKER });
    expect(rig.remotes.exchanges).toHaveLength(2);
    expect([...rig.remotes.last.sent.ticket.demand.excluded.sessions]).toEqual(["b~w"]);
    rig.answer("v");
    expect(reports).toMatchObject([{ attempts: 2, retryReason: "lost", claim: { worker: { id: "v" } } }]);
    expect(reports[0]?.failedAttempts).toMatchObject([{ reason: "lost", claim: { worker: { id: "w", server: "b" } } }]);
  });

  test("of the link excludes nobody", () => {
    const rig = new RemoteRig();
    rig.remotes.add("b", "w", ["m"], 2);
    const { reports } = rig.start();
    rig.remotes.last.exchange.finish({ kind: "lost", reason: "the link broke" });
    expect(rig.remotes.last.sent.ticket.demand.excluded).toBe(NONE_EXCLUDED);
    rig.answer();
    expect(reports).toMatchObject([{ attempts: 2, retryReason: "lost" }]);
  });

  test("is repeated three times at most, here or elsewhere", () => {
    const rig = new RemoteRig();
    rig.remotes.add("b", "w", ["m"], 5);
    const { ends } = rig.start();
    for (const _ of [1, 2, 3]) rig.remotes.last.exchange.finish({ kind: "lost", reason: "the link broke" });
    expect(rig.remotes.exchanges).toHaveLength(3);
    expect(ends).toMatchObject([{ kind: "failed", fault: { code: "worker_lost" }, begun: false }]);
  });

  test("of a backend of a peer leaves the job to a worker of this server", () => {
    const rig = new RemoteRig();
    const own = rig.join("own", ["m"]);
    rig.remotes.add("b", "w", ["m"]);
    rig.start();
    rig.start();
    own.exchanges[0]?.head({ status: 200, headers: [] });
    own.exchanges[0]?.end();
    rig.remotes.last.exchange.finish({ kind: "broken", code: "upstream_error", message: "", worker: WORKER });
    expect(own.exchanges).toHaveLength(2);
  });
});

test("an answer that has begun is never repeated", () => {
  const rig = new RemoteRig();
  rig.remotes.add("b", "w", ["m"], 2);
  const { ends } = rig.start();
  const { exchange } = rig.remotes.last;
  exchange.head({ status: 200, headers: [], worker: WORKER });
  exchange.data(new Uint8Array(1));
  exchange.finish({ kind: "lost", reason: "the link broke" });
  expect(rig.remotes.exchanges).toHaveLength(1);
  expect(ends).toMatchObject([{ kind: "failed", begun: true }]);
});

describe("waiting", () => {
  test("an offered slot goes to the job that the queue policy prefers", () => {
    const rig = new RemoteRig();
    rig.join("own", ["m"]);
    const [alice, bob] = [createCaller("alice"), createCaller("bob")];
    const held = rig.remotes.add("b", "w", ["m"]);
    held.told = 1;
    rig.start("m", { caller: alice });
    const second = rig.start("m", { caller: alice });
    const third = rig.start("m", { caller: bob });
    expect(rig.remotes.wanted.size).toBe(2);
    // Alice's running job counts for her flow only once others wait; the first ticket in line is hers.
    expect(rig.pool.peers.serveRemote(rig.remotes.choiceOf("b", "m"))).toBe(true);
    expect([second.job.isWaiting, third.job.isWaiting]).toEqual([false, true]);
    expect(rig.pool.peers.serveRemote(rig.remotes.choiceOf("b", "m"))).toBe(true);
    expect(rig.remotes.wanted.size).toBe(0);
    expect(rig.pool.peers.serveRemote(rig.remotes.choiceOf("b", "m"))).toBe(false);
  });

  test("a job of a peer that waits here never gets a slot of a peer", () => {
    const rig = new RemoteRig();
    rig.join("own", ["m"]);
    rig.start();
    const granted: string[] = [];
    rig.pool.peers.waitForPeer(wish("m"), "c", 5000, () => granted.push("peer"));
    const { job } = rig.start();
    expect(rig.pool.peers.serveRemote(rig.remotes.choiceOf("b", "m"))).toBe(true);
    expect(granted).toEqual([]);
    expect(job.isWaiting).toBe(false);
    expect(rig.pool.peers.serveRemote(rig.remotes.choiceOf("b", "m"))).toBe(false);
  });

  test("an offered slot of a worker that has failed the job is declined", () => {
    const rig = new RemoteRig();
    rig.remotes.add("b", "w", ["m"]).told = 1;
    rig.start("m", { excluded: withSession(NONE_EXCLUDED, "b~v") });
    expect(rig.pool.peers.serveRemote({ ...rig.remotes.choiceOf("b", "m"), sessionId: "b~v" })).toBe(false);
    expect(rig.pool.peers.serveRemote({ ...rig.remotes.choiceOf("b", "m"), sessionId: "b~w" })).toBe(true);
  });

  test("a job that leaves is not wanted any more", () => {
    const rig = new RemoteRig();
    rig.remotes.add("b", "w", ["m"]).told = 1;
    const { job } = rig.start();
    expect(rig.remotes.wanted.size).toBe(1);
    job.cancel();
    expect(rig.remotes.wanted.size).toBe(0);
  });
});

describe("counting", () => {
  test("a remote job is charged to its caller here, and its work is told to the peer once", () => {
    const rig = new RemoteRig();
    rig.remotes.add("b", "w", ["m"]);
    const { job, reports } = rig.start("m", { caller: createCaller("alice") });
    expect(rig.pool.flows()).toMatchObject([{ caller: "alice", running: 1 }]);
    expect(rig.pool.busyTotal).toBe(0);
    const { exchange, works } = rig.remotes.last;
    exchange.head({ status: 200, headers: [], worker: WORKER });
    exchange.data(new Uint8Array(1));
    expect(job.facts()).toMatchObject({ workerId: "w", server: "b", status: "streaming" });
    job.cancel();
    reports[0]?.claim?.count({ outcome: "canceled", error: undefined, runningMs: 5, usage: undefined, output: 7 });
    exchange.confirm();
    expect(works).toMatchObject([{ outcome: "canceled", output: 7 }]);
    expect(rig.remotes.last.ending).toBe("released");
    expect(rig.pool.flows()).toMatchObject([{ caller: "alice", running: 0, waiting: 0, share: 1 }]);
  });

  test("a broken link is no failure of the worker behind it", () => {
    const rig = new RemoteRig();
    rig.remotes.add("b", "w", ["m"], 2);
    const { reports } = rig.start();
    const first = rig.remotes.last;
    first.exchange.finish({ kind: "lost", reason: "the link broke" });
    rig.answer();
    for (const { claim } of reports[0]?.failedAttempts ?? [])
      claim.count({ outcome: "failed", error: "lost", runningMs: 1, usage: undefined, output: 0 });
    expect(reports[0]?.failedAttempts).toHaveLength(1);
    expect(first.works).toEqual([]);
  });

  test("a job has no worker until its peer has named it", () => {
    const rig = new RemoteRig();
    rig.remotes.add("b", "w", ["m"]);
    const { job } = rig.start();
    expect(job.facts()).toMatchObject({ workerId: undefined, server: "b", status: "running" });
  });

  test("a pool with a remote job is not idle", async () => {
    const rig = new RemoteRig();
    rig.remotes.add("b", "w", ["m"]);
    rig.start();
    let isIdle = false;
    const idle = rig.pool.idle().then(() => {
      isIdle = true;
    });
    await Promise.resolve();
    expect(isIdle).toBe(false);
    rig.answer();
    await idle;
    expect(isIdle).toBe(true);
  });
});

describe("serving a peer", () => {
  test("a peer's job gets a slot of this server's workers alone", () => {
    const rig = new RemoteRig();
    const own = rig.join("own", ["m"]);
    rig.remotes.add("b", "w", ["m"], 10);
    const claim = rig.pool.peers.claimForPeer(wish("m", true), "c");
    expect(claim?.worker).toMatchObject({ id: "own" });
    expect(rig.pool.busyTotal).toBe(1);
    expect(rig.pool.peers.freeFor(wish("m", true).demand)).toBe(0);
    expect(rig.pool.peers.claimForPeer(wish("m", true), "c")).toBeUndefined();
    claim?.release();
    expect(rig.pool.peers.freeFor(wish("m", true).demand)).toBe(1);
    expect(own.exchanges).toHaveLength(0);
  });
});

function wish(model: string, exact = false) {
  return { caller: createCaller("carol"), demand: { model, exact, excluded: NONE_EXCLUDED } };
}

describe("a pool that lets no job wait for its own workers any more", () => {
  const draining = (): Fault => new Fault("draining");

  test("keeps jobs waiting that workers of peers may serve, and refuses the others", () => {
    const rig = new RemoteRig();
    rig.join("own", ["m", "here"], 1);
    rig.remotes.add("b", "w", ["m"]).told = 1;
    rig.start("m");
    const kept = rig.start("m");
    const refused = rig.start("here");
    rig.pool.refuseWaiting(draining);
    expect(refused.ends).toMatchObject([{ kind: "failed", fault: { code: "draining" } }]);
    expect(kept.job.isWaiting).toBe(true);
    expect(rig.start("m").job.isWaiting).toBe(true);
    expect(rig.start("here").ends).toMatchObject([{ fault: { code: "draining" } }]);
    expect(rig.pool.peers.serveRemote(rig.remotes.choiceOf("b", "m"))).toBe(true);
    expect(kept.job.isWaiting).toBe(false);
  });

  test("lets no job of a peer wait", () => {
    const rig = new RemoteRig();
    rig.join("own", ["m"]);
    rig.remotes.add("b", "w", ["m"]);
    rig.start("m");
    rig.pool.refuseWaiting(draining);
    expect(rig.pool.peers.waitForPeer(wish("m"), "b", 0, () => {}).position()).toBe(0);
  });
});
