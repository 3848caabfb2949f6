import { afterEach, describe, expect, test } from "bun:test";
import { WorkerBalance } from "../../../../src/cluster/balance/worker-balance.ts";
import type { PresenceOptions } from "../../../../src/cluster/presence/presence.ts";
import { silentLog } from "../../../../src/system/log.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { PresenceRig, type RigServer } from "../../../support/presence-rig.ts";

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

/** Long enough for all sessions to be old, and for the servers to have been there for long. */
const LONG_MS = 61_000;

interface Cluster {
  readonly rig: PresenceRig;
  readonly clock: FakeClock;
  start(id: string, region?: string): RigServer;
  /** Lets a balancer lead workers that connect again to this server, after 200 ms. */
  leadTo(to: RigServer): void;
  /** How many workers each server has, without those that leave it. */
  counts(): Readonly<Record<string, number>>;
}

function cluster(): Cluster {
  const clock = new FakeClock();
  const rig = new PresenceRig(clock);
  const servers: RigServer[] = [];
  let target: RigServer | undefined;
  ends.push(() => rig.close());
  return {
    rig,
    clock,
    start(id, region = "here") {
      const own: PresenceOptions["own"] = {
        region,
        version: "1.0.0",
        keys: () => "keys",
        address: () => undefined,
        linkKey: undefined,
        load: () => undefined,
      };
      const server = rig.start(id, { own });
      const { presence } = server;
      const balance = new WorkerBalance({
        clock,
        log: silentLog,
        moves: presence.moves,
        peers: presence.peers,
        countAt: (pluginId, peerId) => presence.workersOf(pluginId).countAt(peerId),
      });
      ends.push(() => balance.stop());
      server.onHandOver = ({ worker }) => clock.after(200, () => (target ?? server).connect({ id: worker.id }));
      servers.push(server);
      return server;
    },
    leadTo(to) {
      target = to;
    },
    counts: () => Object.fromEntries(servers.map(({ id, stayingIds }) => [id, stayingIds.length])),
  };
}

function connect(server: RigServer, count: number, prefix = "w"): void {
  for (let at = 0; at < count; at += 1) server.connect({ id: `${prefix}${at}` });
}

describe("workers that are all at one of two servers", () => {
  test("move to the other one, one a second, until both have about as many", async () => {
    const { rig, start, leadTo, counts } = cluster();
    const [a, b] = [start("a"), start("b")];
    connect(a, 20);
    leadTo(b);
    await rig.run(59_000);
    expect(counts()).toEqual({ a: 20, b: 0 });
    await rig.run(4000);
    expect(counts()["b"]).toBeGreaterThan(1);
    expect(counts()["b"]).toBeLessThan(5);
    await rig.run(10_000);
    expect(counts()).toEqual({ a: 10, b: 10 });
    await rig.run(300_000, 100);
    expect(counts()).toEqual({ a: 10, b: 10 });
    expect([a.leavingIds, a.workerIds.length]).toEqual([[], 10]);
  });

  test("leave their older session only when the newer one is known", async () => {
    const { rig, start, leadTo } = cluster();
    const [a, b] = [start("a"), start("b")];
    connect(a, 2);
    leadTo(b);
    const left: (readonly string[])[] = [];
    a.onDrain = (session) => {
      left.push(b.workerIds);
      session.vanish();
    };
    await rig.run(LONG_MS + 2000);
    expect(left).toEqual([["w0"]]);
  });

  test("stay while they run jobs", async () => {
    const { rig, start, leadTo, counts } = cluster();
    const [a, b] = [start("a"), start("b")];
    connect(a, 4);
    const busy = [...a.sessions];
    for (const session of busy) a.setBusy(session, true);
    leadTo(b);
    await rig.run(LONG_MS + 20_000);
    expect(counts()).toEqual({ a: 4, b: 0 });
    for (const session of busy) a.setBusy(session, false);
    await rig.run(5000);
    expect(counts()).toEqual({ a: 2, b: 2 });
  });

  test("are not told again when a balancer leads them back to the same server", async () => {
    const { rig, start, leadTo, counts } = cluster();
    const [a] = [start("a"), start("b")];
    connect(a, 5);
    let told = 0;
    const { onHandOver } = a;
    a.onHandOver = (session) => {
      told += 1;
      onHandOver(session);
      // As the endpoint does when the worker is back.
      rig.clock.after(199, () => session.changeOffer({ status: "draining" }));
      rig.clock.after(201, () => session.vanish());
    };
    leadTo(a);
    await rig.run(LONG_MS + 3 * 600_000, 100);
    expect([told, counts()]).toEqual([5, { a: 5, b: 0 }]);
  });

  test("that do not understand the message stay where they are, and are asked once", async () => {
    const { rig, start, counts } = cluster();
    const [a] = [start("a"), start("b")];
    connect(a, 4);
    let told = 0;
    a.onHandOver = () => {
      told += 1;
    };
    await rig.run(LONG_MS + 1_300_000, 100);
    expect(told).toBe(4);
    expect([a.sessions.size, counts()["b"]]).toEqual([4, 0]);
  });

  test("stay if the other server is far away", async () => {
    const { rig, start, leadTo, counts } = cluster();
    const [a, b] = [start("a"), start("b", "elsewhere")];
    connect(a, 20);
    leadTo(b);
    await rig.run(2 * LONG_MS, 100);
    expect(counts()).toEqual({ a: 20, b: 0 });
  });

  test("stay until the other server has been there for half a minute", async () => {
    const { rig, start, leadTo, counts } = cluster();
    const a = start("a");
    connect(a, 20);
    await rig.run(LONG_MS, 100);
    const b = start("b");
    leadTo(b);
    await rig.run(29_000);
    expect(counts()).toEqual({ a: 20, b: 0 });
    await rig.run(5000);
    expect(counts()["b"]).toBeGreaterThan(0);
  });

  test("stay while a third server drains, and for half a minute after it has gone", async () => {
    const { rig, start, leadTo, counts } = cluster();
    const [a, b, c] = [start("a"), start("b"), start("c")];
    connect(a, 20);
    c.presence.drain();
    leadTo(b);
    await rig.run(2 * LONG_MS, 100);
    c.close();
    await rig.run(29_000);
    expect(counts()).toMatchObject({ a: 20, b: 0 });
    await rig.run(5000);
    expect(counts()["b"]).toBeGreaterThan(0);
  });
});

test("workers of three servers are spread after a rolling deploy, and lose no session on the way", async () => {
  const { rig, start, leadTo, counts } = cluster();
  const [a, b, c] = [start("a"), start("b"), start("c")];
  connect(a, 30, "a");
  connect(b, 30, "b");
  leadTo(c);
  await rig.run(LONG_MS, 50);
  for (let second = 0; second < 60; second += 1) {
    await rig.run(1000, 50);
    const known = new Set([a, b, c].flatMap(({ workerIds }) => workerIds));
    expect(known.size).toBe(60);
  }
  expect(counts()).toEqual({ a: 21, b: 21, c: 18 });
});
