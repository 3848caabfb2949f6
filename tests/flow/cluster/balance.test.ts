import { afterEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { Balancer } from "../../../src/demo/cluster/balancer.ts";
import { askOnAndOn, openStreams } from "../../support/cluster-load.ts";
import { ClusterProcesses } from "../../support/cluster-processes.ts";
import type { ClusterServer } from "../../support/cluster-server.ts";
import { eventually } from "../../support/eventually.ts";
import { lacks, PROGRAMS } from "../../support/lacks.ts";
import { PacedBackend } from "../../support/paced-backend.ts";

// Three server processes behind a balancer. Workers know its address alone, and all of them begin at the first server.

const WORKERS = 9;

let cluster: ClusterProcesses;
afterEach(() => cluster.stop());

async function start() {
  cluster = await ClusterProcesses.start({ preloadOf: () => join(import.meta.dir, "../../support/quick-balance.ts") });
  const targets = cluster.servers.map(({ port }, at) => ({ port, isTaking: at === 0 }));
  const balancer = cluster.use(await Balancer.start(0, targets));
  const backend = cluster.use(new PacedBackend({ chunks: 160, everyMs: 50 }));
  const settings = { server: balancer.url, backend: backend.url, maxConcurrency: 4 };
  await Promise.all(Array.from({ length: WORKERS }, () => cluster.worker(0, settings)));
  await cluster.served("m");
  expect(await counts()).toEqual([WORKERS, 0, 0]);
  return {
    backend,
    openAll(): void {
      for (const target of targets) target.isTaking = true;
    },
  };
}

/** The ids of the workers that are connected to a server. */
async function workersAt(server: ClusterServer): Promise<readonly string[]> {
  const { plugins } = (await (await server.fetch("/api/state")).json()) as {
    plugins: { llm: { workers: { id: string }[] } };
  }; // the State API's own tests check this shape
  return plugins.llm.workers.map(({ id }) => id).sort();
}

async function counts(): Promise<readonly number[]> {
  return (await Promise.all(cluster.servers.map(workersAt))).map(({ length }) => length);
}

const BALANCED = [3, 3, 3];

describe.skipIf(lacks("workers of a cluster that move", PROGRAMS.nats))("workers that are all at one server", () => {
  test("are spread over all servers by the balancer, without an error for a stream or a request, and stay then", async () => {
    const { backend, openAll } = await start();
    const streams = await openStreams(cluster.servers, 6, backend);
    const asking = askOnAndOn(cluster.servers, { everyMs: 30 });
    openAll();
    await eventually(async () => Bun.deepEquals(await counts(), BALANCED), "all have the same", 40_000);
    const spread = await Promise.all(cluster.servers.map(workersAt));
    await Bun.sleep(5000);
    expect(await Promise.all(cluster.servers.map(workersAt))).toEqual(spread);
    expect((await asking.stop()).failures).toEqual([]);
    expect(await streams.ended).toEqual({ whole: 6, failures: [] });
  }, 120_000);

  test("and that the balancer leads back there each move once, and lose nothing by it", async () => {
    const { backend } = await start();
    const streams = await openStreams(cluster.servers, 6, backend);
    const asking = askOnAndOn(cluster.servers, { everyMs: 30 });
    await cluster.server(0).log();
    const opened = new Map<unknown, number>();
    await eventually(
      async () => {
        for (const { event, worker } of await cluster.server(0).log())
          if (event === "session.opened") opened.set(worker, (opened.get(worker) ?? 0) + 1);
        return opened.size === WORKERS;
      },
      "each worker has come back",
      60_000,
    );
    await Bun.sleep(3000);
    for (const { event } of await cluster.server(0).log()) expect(event).not.toBe("session.opened");
    expect([...opened.values()]).toEqual(Array.from({ length: WORKERS }, () => 1));
    expect(await counts()).toEqual([WORKERS, 0, 0]);
    expect((await asking.stop()).failures).toEqual([]);
    expect(await streams.ended).toEqual({ whole: 6, failures: [] });
  }, 120_000);
});
