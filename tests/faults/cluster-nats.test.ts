import { afterEach, describe, expect, test } from "bun:test";
import { askOnAndOn, openStreams } from "../support/cluster-load.ts";
import { ClusterProcesses } from "../support/cluster-processes.ts";
import type { ClusterServer } from "../support/cluster-server.ts";
import { eventually } from "../support/eventually.ts";
import { lacks, PROGRAMS } from "../support/lacks.ts";
import { PacedBackend } from "../support/paced-backend.ts";
import { freePort } from "../support/proxy.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";

// Three server processes and a real nats-server, which is killed or frozen by its process id, or becomes unreachable.

const STREAMS = 200;

let cluster: ClusterProcesses;
afterEach(() => cluster.stop());

/** Starts a cluster and a worker at the second server. Requests enter at the first and the third one. */
async function start(options: Parameters<typeof ClusterProcesses.start>[0] = {}, chunks = 60): Promise<PacedBackend> {
  cluster = await ClusterProcesses.start(options);
  const backend = cluster.use(new PacedBackend({ chunks, everyMs: 100 }));
  await cluster.workerProcess(cluster.server(1).url, backend.url, "worker", 300);
  await cluster.served("m");
  return backend;
}

const entries = () => [cluster.server(0), cluster.server(2)];

describe.skipIf(lacks("nats-server that fails under a cluster", PROGRAMS.nats))("nats-server", () => {
  test("that is killed and comes back breaks none of 200 streams that run over two servers, and no other request", async () => {
    const backend = await start({}, 40);
    const streams = await openStreams(entries(), STREAMS, backend);
    const asking = askOnAndOn(cluster.servers);
    await cluster.nats.kill();
    await Bun.sleep(1000);
    await cluster.nats.restart();
    await cluster.formed();
    expect(await streams.ended).toEqual({ whole: STREAMS, failures: [] });
    const { count, failures } = await asking.stop();
    expect(failures).toEqual([]);
    expect(count).toBeGreaterThan(40);
    // What is told through it arrives again.
    const worker = await cluster.scriptedWorker(2, { models: ["after"] });
    await cluster.served("after");
    const asked = cluster.server(0).chat("after");
    const { id } = await worker.request();
    worker.answerJson(id, { choices: [] });
    expect((await asked).status).toBe(200);
  }, 90_000);

  test("that is frozen and thaws again breaks no stream and no other request", async () => {
    const backend = await start({}, 100);
    const streams = await openStreams(entries(), 50, backend);
    const asking = askOnAndOn(cluster.servers);
    cluster.nats.freeze();
    await Bun.sleep(7000);
    cluster.nats.thaw();
    expect(await streams.ended).toEqual({ whole: 50, failures: [] });
    expect((await asking.stop()).failures).toEqual([]);
    await cluster.formed();
  }, 90_000);

  test("that is away for long leaves a formed cluster whole: what happens to one server is told over the links, until it is back", async () => {
    await start();
    await cluster.nats.kill();
    await Bun.sleep(6000);
    for (const server of cluster.servers) expect((await server.chat("m")).status).toBe(200);
    const worker = await cluster.scriptedWorker(2, { models: ["meanwhile"] });
    await cluster.served("meanwhile");
    worker.close();
    await cluster.server(2).kill();
    const left = cluster.server(0);
    await eventually(async () => (await left.peers()).get("s3") !== "alive", "the dead server is noticed", 10_000);
    expect((await left.chat("m")).status).toBe(200);
    await cluster.nats.restart();
    const isBack = async (server: ClusterServer): Promise<boolean> =>
      (await server.metric("moorage_cluster_bus_up")) === 1;
    for (const server of [left, cluster.server(1)]) await eventually(() => isBack(server), `${server.id} is back`);
    // A server that starts now is known again.
    await cluster.server(2).start();
    await cluster.formed();
    for (const server of cluster.servers) expect((await server.chat("m")).status).toBe(200);
  }, 60_000);

  test("that is missing at the start lets servers start alone, and joins them once it is there", async () => {
    const port = await freePort();
    const url = `nats://moorage:loopback-only@127.0.0.1:${port}`;
    cluster = await ClusterProcesses.start({ servers: 2, env: { NATS_URL: url }, isFormed: false });
    const worker = await cluster.scriptedWorker(0, { models: ["own"] });
    const asked = cluster.server(0).chat("own");
    const { id } = await worker.request();
    worker.answerJson(id, { choices: [] });
    expect((await asked).status).toBe(200);
    for (const server of cluster.servers) expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
    await cluster.useNatsAt(port);
    await cluster.formed();
    await cluster.served("own");
  }, 60_000);

  test("that one server loses because its connection falls silent breaks no stream", async () => {
    let line: TcpProxy | undefined;
    const backend = await start({
      prepare: async (nats) => {
        line = await TcpProxy.start(`http://127.0.0.1:${nats.port}`);
      },
      envOf: (at, nats) => (at === 1 && line ? { NATS_URL: nats.url.replace(String(nats.port), line.port) } : {}),
    });
    const streams = await openStreams(entries(), 50, backend);
    const asking = askOnAndOn(cluster.servers);
    line?.swallow();
    expect(await streams.ended).toEqual({ whole: 50, failures: [] });
    expect((await asking.stop()).failures).toEqual([]);
    // New connections pass, so the server is back by itself.
    await cluster.formed();
    if (line) cluster.use(line);
  }, 60_000);

  test("refuses a server with a wrong password, which then runs alone", async () => {
    cluster = await ClusterProcesses.start({
      servers: 2,
      isFormed: false,
      envOf: (at, nats) => (at === 1 ? { NATS_URL: nats.url.replace(/:[^:@]+@/, ":wrong@") } : {}),
    });
    const [first, second] = [cluster.server(0), cluster.server(1)];
    await cluster.scriptedWorker(1, { models: ["own"] });
    expect(await second.models()).toEqual(["own"]);
    const isTold = async (): Promise<boolean> => (await second.problems()).includes("bus_away");
    await eventually(isTold, "its operators are told", 15_000);
    expect(await first.models()).toEqual([]);
    expect((await first.peers()).get(second.id)).toBeUndefined();
    expect((await fetch(`${second.url}/healthz`)).status).toBe(200);
  }, 60_000);
});

describe.skipIf(lacks("links of a cluster that fail", PROGRAMS.nats))("a link between two servers", () => {
  test("that becomes silent ends its streams with an error within seconds, and another one is dialled", async () => {
    const listen = await freePort();
    const line = await TcpProxy.start(`http://127.0.0.1:${listen}`);
    const told = `127.0.0.1:${line.port}`;
    // The server of the smaller id dials, so the line is in front of the other one.
    const backend = await start({
      servers: 2,
      envOf: (at) => (at === 1 ? { CLUSTER_LISTEN: `127.0.0.1:${listen}`, CLUSTER_ADDRESS: told } : {}),
    });
    cluster.use(line);
    const streams = await openStreams([cluster.server(0)], 10, backend);
    line.swallow();
    const { whole, failures } = await streams.ended;
    expect(whole).toBe(0);
    for (const failure of failures) expect(failure).toContain('"error"');
    await eventually(async () => (await cluster.server(0).chat("m")).status === 200, "the link is back", 15_000);
  }, 60_000);
});
