import { afterEach, describe, expect, test } from "bun:test";
import type { ServerLoad } from "../../../src/state/cluster-facts.ts";
import type { ClusterState } from "../../../src/state/cluster-state.ts";
import { systemIds } from "../../../src/system/ids.ts";
import { silentLog } from "../../../src/system/log.ts";
import type { Config } from "../../support/default-config.ts";
import { eventually } from "../../support/eventually.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { ScriptedCluster } from "../../support/scripted-cluster.ts";
import { TestServer } from "../../support/test-server.ts";

const running: TestServer[] = [];
afterEach(async () => {
  for (const each of running.splice(0)) await each.stop();
});

/** A server "a" whose seconds a test begins, in a cluster that the test describes. */
function start(config: Partial<Config> = {}) {
  const clock = new FakeClock();
  const cluster = new ScriptedCluster(clock);
  const deps = { clock, ids: systemIds, log: silentLog };
  const server = new TestServer({ serverId: "a", ...config }, deps, undefined, undefined, cluster);
  running.push(server);
  return { server, clock, cluster };
}

const load = (used: number, requests: number): ServerLoad => ({
  pulses: [
    {
      id: "llm",
      pulse: {
        workers: { idle: 1, working: 1, notReady: 0, draining: 0 },
        slots: { used, total: 8 },
        queue: { waiting: 2, capacity: 100 },
        requests,
      },
    },
  ],
  firstByte: { p50Ms: 10, p95Ms: 90 },
  problems: { critical: 0, warning: 1 },
});

const stateOf = async (
  server: TestServer,
  query = "",
): Promise<Record<string, unknown> & { cluster: ClusterState }> => {
  const answer = await server.fetch(`/api/state${query}`);
  expect(answer.status).toBe(200);
  return (await answer.json()) as Record<string, unknown> & { cluster: ClusterState }; // the State API's format
};

describe("the state of a server", () => {
  test("has nothing about a cluster without one, and can be asked for by its own id", async () => {
    const server = new TestServer({ serverId: "a" });
    running.push(server);
    const plain = await stateOf(server);
    expect(Object.keys(plain)).toEqual(["server", "plugins"]);
    expect(Object.keys(await stateOf(server, "?server=a"))).toEqual(["server", "plugins"]);
    expect(Object.keys((await stateOf(server, "?server=all"))["servers"] as object)).toEqual(["a"]);
    expect((await server.fetch("/api/state?server=b")).status).toBe(404);
  });

  test("lists the servers of its cluster with their load, and adds them up", async () => {
    const { server, clock, cluster } = start();
    await server.worker({ max_concurrency: 4 });
    cluster.peer("b", { region: "fra" });
    cluster.beat("b", load(3, 100));
    clock.advance(1000);
    cluster.beat("b", load(5, 110));
    clock.advance(250);
    const { cluster: seen } = await stateOf(server);
    expect(seen).toMatchObject({ name: "moorage", id: "a", peers_lost: 0, is_whole: true, bus: { state: "up" } });
    expect(seen.servers).toMatchObject([
      { id: "a", state: "alive", link: null, workers: 1, slots: 4, busy: 0 },
      {
        id: "b",
        state: "alive",
        region: "fra",
        link: "direct",
        rtt_ms: 0.4,
        gossip_age_ms: 250,
        workers: 2,
        slots: 8,
        busy: 5,
        waiting: 2,
        problems: { critical: 0, warning: 1 },
        sample: { requests: 10 },
      },
    ]);
    expect(seen.sample).toMatchObject({
      slots_total: 12,
      slots_used: 5,
      waiting: 2,
      requests: 10,
      first_byte_p95_ms: 90,
    });
    expect(seen.pools).toMatchObject([
      { plugin: "llm", slots_total: 12, queue_capacity: 100 + server.config.queueSize },
    ]);
  });

  test("is not whole while a server that runs has other keys", async () => {
    const { server, cluster } = start();
    cluster.peer("b", { hasSameKeys: false });
    expect((await stateOf(server)).cluster).toMatchObject({ is_whole: false });
    cluster.peer("b", { status: "gone", saidGoodbye: true });
    expect((await stateOf(server)).cluster).toMatchObject({ is_whole: true });
  });

  test("counts a server that is gone without a goodbye as lost, and leaves it out of the sums", async () => {
    const { server, clock, cluster } = start();
    cluster.beat("b", load(3, 100));
    cluster.peer("b", { status: "gone", since: clock.now() });
    clock.advance(1000);
    const { cluster: seen } = await stateOf(server);
    expect(seen).toMatchObject({ peers_lost: 1, is_whole: false, sample: { slots_total: 0 } });
    expect(seen.servers[1]).toMatchObject({ id: "b", state: "gone", is_lost: true, slots: 8 });
    cluster.peer("b", { saidGoodbye: true });
    expect((await stateOf(server)).cluster).toMatchObject({ peers_lost: 0, is_whole: true });
  });

  test("is ready while workers of other servers take its jobs", async () => {
    const { server, clock, cluster } = start();
    clock.advance(1000);
    expect(await stateOf(server)).toMatchObject({ server: { state: "not_ready" } });
    cluster.beat("b", load(3, 100));
    clock.advance(1000);
    expect(await stateOf(server)).toMatchObject({ server: { state: "ready" } });
  });
});

describe("the state of another server", () => {
  test("is passed on as the peer has written it, with the cluster as this server sees it", async () => {
    const { server, cluster } = start();
    cluster.peer("b");
    const answer = stateOf(server, "?server=b");
    await eventually(() => cluster.followed.join() === "b");
    cluster.arrive("b", '{"server":{"id":"b"},"plugins":{"llm":{"unknown":[1]}}}');
    expect(await answer).toMatchObject({
      cluster: { id: "a" },
      relayed: { by: "a", stale_since: null },
      server: { id: "b" },
      plugins: { llm: { unknown: [1] } },
    });
    expect(cluster.followed).toEqual([]);
  });

  test("is an error that names the server if it does not answer, and if there is no such server", async () => {
    const { server, clock, cluster } = start();
    cluster.peer("b");
    const late = server.fetch("/api/state?server=b");
    await eventually(() => cluster.followed.join() === "b");
    clock.advance(2000);
    const answer = await late;
    expect(answer.status).toBe(504);
    expect(await answer.json()).toMatchObject({
      error: { code: "server_not_answering", message: "Server b does not answer." },
    });
    const unknown = await server.fetch("/api/state/stream?server=nobody");
    expect(unknown.status).toBe(404);
    expect(await unknown.json()).toMatchObject({ error: { code: "server_not_found", param: "server" } });
  });

  test("says since when it is stale if the server has stopped answering", async () => {
    const { server, clock, cluster } = start();
    cluster.peer("b");
    cluster.arrive("b", '{"server":{"id":"b"},"plugins":{}}');
    const since = new Date(clock.now()).toISOString();
    clock.advance(6000);
    const answer = stateOf(server, "?server=b");
    await eventually(() => cluster.followed.join() === "b");
    clock.advance(2000);
    expect(await answer).toMatchObject({ relayed: { at: since, stale_since: since }, server: { id: "b" } });
  });

  test("is null among those of all servers until it has answered", async () => {
    const { server, clock, cluster } = start();
    cluster.peer("b");
    cluster.peer("c");
    cluster.peer("d", { status: "gone" });
    cluster.arrive("c", '{"server":{"id":"c"},"plugins":{}}');
    const answer = stateOf(server, "?server=all");
    await eventually(() => cluster.followed.join() === "b,c");
    clock.advance(2000);
    expect(await answer).toMatchObject({
      cluster: { id: "a" },
      servers: { a: { server: { id: "a" } }, b: { server: null, plugins: {} }, c: { server: { id: "c" } } },
    });
    expect(cluster.followed).toEqual([]);
  });

  test("is not followed for a stranger", async () => {
    const { server, cluster } = start();
    cluster.peer("b");
    const answer = await server.fetch("/api/state?server=b", { headers: { authorization: "Bearer wrong" } });
    expect(answer.status).toBe(401);
    expect(cluster.followed).toEqual([]);
  });
});

/** Reads the events of a stream. */
async function follow(server: TestServer, query: string) {
  const answer = await server.fetch(`/api/state/stream${query}`);
  const reader = (answer.body ?? new ReadableStream()).pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  return {
    async next(): Promise<Record<string, unknown>> {
      while (!text.includes("\n\n")) text += (await reader.read()).value ?? "";
      const end = text.indexOf("\n\n");
      const event = text.slice(0, end);
      text = text.slice(end + 2);
      return JSON.parse(event.slice("data: ".length)) as Record<string, unknown>; // the State API's format
    },
    close: () => reader.cancel(),
  };
}

describe("the stream of another server's state", () => {
  test("follows the server once for all viewers, and no longer than somebody looks", async () => {
    const { server, clock, cluster } = start();
    cluster.peer("b");
    const one = await follow(server, "?server=b");
    expect(await one.next()).toMatchObject({ relayed: { at: null }, server: null });
    const other = await follow(server, "?server=b");
    await other.next();
    expect(cluster.followed).toEqual(["b"]);
    cluster.arrive("b", '{"server":{"id":"b","n":1},"plugins":{}}');
    clock.advance(1000);
    expect(await one.next()).toMatchObject({ server: { id: "b", n: 1 } });
    expect(await other.next()).toMatchObject({ server: { id: "b", n: 1 } });
    await one.close();
    await other.close();
    await eventually(() => cluster.followed.join() === "");
  });

  test("goes on when the server has died, and says since when its state is stale", async () => {
    const { server, clock, cluster } = start();
    cluster.peer("b");
    cluster.arrive("b", '{"server":{"id":"b"},"plugins":{}}');
    const stream = await follow(server, "?server=b");
    expect(await stream.next()).toMatchObject({ relayed: { stale_since: null } });
    cluster.peer("b", { status: "gone" });
    clock.advance(1000);
    expect(await stream.next()).toMatchObject({ cluster: { peers_lost: 1 }, server: { id: "b" } });
    clock.advance(5000);
    const isStale = ({ relayed }: Record<string, unknown>): boolean => !JSON.stringify(relayed).includes("null");
    let last = await stream.next();
    while (!isStale(last)) last = await stream.next();
    expect(last).toMatchObject({ relayed: { stale_since: expect.any(String) }, server: { id: "b" } });
    await stream.close();
  });

  test("takes up servers that join, if all are followed", async () => {
    const { server, clock, cluster } = start();
    const stream = await follow(server, "?server=all");
    expect(Object.keys((await stream.next())["servers"] as object)).toEqual(["a"]);
    cluster.peer("b");
    clock.advance(1000);
    expect(Object.keys((await stream.next())["servers"] as object)).toEqual(["a", "b"]);
    await stream.close();
    await eventually(() => cluster.followed.join() === "");
  });
});

describe("the history", () => {
  test("of a server that has died is there, and that of all servers adds them up second by second", async () => {
    const { server, clock, cluster } = start();
    for (let second = 0; second < 3; second += 1) {
      cluster.beat("b", load(3, 100 + 10 * second));
      clock.advance(1000);
    }
    cluster.peer("b", { status: "gone" });
    clock.advance(1000);
    const read = async (query: string): Promise<Record<string, readonly number[]>> => {
      const answer = await server.fetch(`/api/state/history${query}`);
      return ((await answer.json()) as { samples: Record<string, readonly number[]> }).samples; // the API's format
    };
    expect((await read("?server=b"))["requests"]).toEqual([0, 10, 10]);
    expect((await read("?server=b"))["slots_total"]).toEqual([8, 8, 8]);
    const all = await read("?server=all");
    expect(all["slots_total"]).toEqual([8, 8, 8]);
    expect(all["requests"]).toEqual([0, 10, 10]);
    expect((await read(""))["at"]).toHaveLength(4);
    expect((await server.fetch("/api/state/history?server=c")).status).toBe(404);
    cluster.peer("c");
    expect((await read("?server=c"))["requests"]).toEqual([]);
  });
});

test("the health check tells servers apart without their names, and asks nobody", async () => {
  const { server, cluster } = start();
  cluster.peer("b");
  cluster.bus({ isUp: false });
  const answer = await fetch(`${server.url}/healthz`);
  expect(answer.status).toBe(200);
  const body = await answer.json();
  expect(body).toMatchObject({
    status: "ok",
    cluster: {
      server: expect.stringMatching(/^[0-9a-f]{8}$/),
      servers: 2,
      peers_lost: 0,
      bus: "away",
      is_whole: false,
    },
  });
  expect(cluster.followed).toEqual([]);
  const alone = new TestServer({ serverId: "a" });
  running.push(alone);
  expect(await (await fetch(`${alone.url}/healthz`)).json()).toEqual({ status: "ok" });
});

test("metrics name no other server on the public listener", async () => {
  const { server, cluster } = start();
  cluster.peer("peer-in-cellar");
  const text = await (await fetch(`${server.url}/metrics`)).text();
  expect(text).toContain('moorage_cluster_peers{state="alive"} 1');
  expect(text).toContain("moorage_cluster_bus_up 1");
  expect(text).toContain('moorage_cluster_keys{state="current"} 0');
  expect(text).not.toContain("peer-in-cellar");
});

test("what peers get has no cluster in it, and is what viewers see of the server itself", async () => {
  const { server, clock, cluster } = start();
  clock.advance(1000);
  const { cluster: _, ...own } = await stateOf(server);
  expect(JSON.parse(cluster.own?.write() ?? "")).toEqual(own);
  expect(cluster.own?.load()).toMatchObject({ pulses: [{ id: "llm" }], problems: { critical: 0, warning: 0 } });
});
