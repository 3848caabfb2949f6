import { afterEach, describe, expect, test } from "bun:test";
import { openStreams } from "../../support/cluster-load.ts";
import { ClusterProcesses } from "../../support/cluster-processes.ts";
import { eventually } from "../../support/eventually.ts";
import { lacks, PROGRAMS } from "../../support/lacks.ts";
import { PacedBackend } from "../../support/paced-backend.ts";

// Servers of different versions: each one is told which versions of the protocols between servers it speaks.

const PRELOAD = `${import.meta.dir}/../../support/speaks-versions.ts`;

let cluster: ClusterProcesses;
afterEach(() => cluster.stop());

describe.skipIf(lacks("versions in a cluster", PROGRAMS.nats))("servers of different versions", () => {
  test("work together by the newest version that both speak", async () => {
    cluster = await ClusterProcesses.start({
      servers: 2,
      // The first one is that of the next release; the second one speaks this release's versions only.
      envOf: (at) => ({ SPEAKS: at === 0 ? "1, 2" : "1, 1" }),
      preloadOf: () => PRELOAD,
    });
    const backend = cluster.use(new PacedBackend({ chunks: 10, everyMs: 20 }));
    await cluster.worker(0, { backend: backend.url, maxConcurrency: 20, models: ["m"] });
    await cluster.worker(1, { backend: backend.url, maxConcurrency: 20, models: ["n"] });
    for (const model of ["m", "n"]) {
      await cluster.served(model);
      const streams = await openStreams(cluster.servers, 6, backend, model);
      expect(await streams.ended).toEqual({ whole: 6, failures: [] });
    }
  }, 60_000);

  test("that have no version in common say so, send each other nothing, and serve with their own workers", async () => {
    cluster = await ClusterProcesses.start({
      servers: 2,
      envOf: (at) => ({ SPEAKS: at === 0 ? "2, 3" : "1, 1" }),
      preloadOf: () => PRELOAD,
      isFormed: false,
    });
    const [newer, older] = [cluster.server(0), cluster.server(1)];
    const seen = async (): Promise<boolean> =>
      (await newer.peers()).get(older.id) === "incompatible" && (await older.peers()).get(newer.id) === "incompatible";
    await eventually(seen, "both servers say that the other one is incompatible", 15_000);
    const worker = await cluster.scriptedWorker(0, { models: ["own"] });
    const asked = newer.chat("own");
    const { id } = await worker.request();
    worker.answerJson(id, { choices: [] });
    expect((await asked).status).toBe(200);
    expect(await older.models()).toEqual([]);
  }, 60_000);
});
