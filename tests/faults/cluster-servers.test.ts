import { afterEach, describe, expect, test } from "bun:test";
import { Balancer } from "../../src/demo/cluster/balancer.ts";
import { askOnAndOn, openStreams } from "../support/cluster-load.ts";
import { ClusterProcesses } from "../support/cluster-processes.ts";
import { eventually } from "../support/eventually.ts";
import { lacks, PROGRAMS } from "../support/lacks.ts";
import { PacedBackend } from "../support/paced-backend.ts";

// Three server processes and a real nats-server; a server is killed or frozen by its process id.

let cluster: ClusterProcesses;
afterEach(() => cluster.stop());

async function start(options: Parameters<typeof ClusterProcesses.start>[0] = {}): Promise<void> {
  cluster = await ClusterProcesses.start(options);
}

function startBackend(options: ConstructorParameters<typeof PacedBackend>[0] = {}): PacedBackend {
  return cluster.use(new PacedBackend(options));
}

describe.skipIf(lacks("servers of a cluster that die", PROGRAMS.nats))("a server of a cluster", () => {
  test("that is killed loses only the streams that ran through it, and jobs without a first byte are answered elsewhere", async () => {
    await start();
    const [entry, victim] = [cluster.server(0), cluster.server(1)];
    const doomed = await cluster.scriptedWorker(1, { models: ["doomed"], max_concurrency: 20 });
    const backend = startBackend({ chunks: 60 });
    await cluster.worker(2, { backend: backend.url, maxConcurrency: 40 });
    await cluster.served("doomed", [entry]);
    await cluster.served("m", [entry]);
    const safe = await openStreams([entry], 10, backend);
    // These streams have begun at the victim's worker.
    const cut = Array.from({ length: 5 }, () => entry.chat("doomed", { stream: true }));
    for (let count = 0; count < cut.length; count += 1) {
      const { id } = await doomed.request();
      doomed.head(id, 200, undefined, "data: 0\n\n");
    }
    const begun = await Promise.all(cut);
    // These have no first byte yet; another worker of their model comes after they were sent.
    const unanswered = Array.from({ length: 5 }, () => entry.chat("doomed"));
    for (let count = 0; count < unanswered.length; count += 1) await doomed.request();
    const other = startBackend({ models: ["doomed"] });
    await cluster.worker(2, { backend: other.url, maxConcurrency: 40 });
    await eventually(async () => (await cluster.server(2).models()).includes("doomed"), "the other worker is there");

    await victim.kill();
    for (const response of begun) {
      const text = await response.text();
      expect(text).toContain('"error"');
      expect(text).not.toContain("[DONE]");
    }
    for (const response of await Promise.all(unanswered)) {
      expect(response.status).toBe(200);
      await response.text();
    }
    expect(await safe.ended).toEqual({ whole: 10, failures: [] });
    await eventually(
      async () => (await entry.peers()).get(victim.id) !== "alive",
      "the entry server has noticed",
      5000,
    );
    expect((await entry.chat("m")).status).toBe(200);
  }, 60_000);

  test("that is killed is one of the cluster again after its restart, with the workers that come to it", async () => {
    await start();
    const victim = cluster.server(1);
    await victim.kill();
    await victim.start();
    await cluster.formed();
    const worker = await cluster.scriptedWorker(1, { models: ["back"] });
    await cluster.served("back");
    const asked = cluster.server(0).chat("back");
    const { id } = await worker.request();
    worker.answerJson(id, { choices: [] });
    expect((await asked).status).toBe(200);
  }, 60_000);

  test("that is killed leaves its workers to the others, although they know one address only", async () => {
    await start();
    const backend = startBackend();
    const targets = cluster.servers.map((server) => ({ port: server.port, isTaking: true }));
    const balancer = await Balancer.start(0, targets);
    cluster.use(balancer);
    for (let count = 0; count < 3; count += 1)
      await cluster.worker(0, { server: balancer.url, backend: backend.url, maxConcurrency: 4 });
    await cluster.served("m");
    await cluster.server(0).kill();
    const left = [cluster.server(1), cluster.server(2)];
    const workers = async (): Promise<number> => {
      const counts = await Promise.all(left.map(async (server) => (await server.pool()).workers.length));
      return counts.reduce((sum, count) => sum + count, 0);
    };
    await eventually(async () => (await workers()) === 3, "all workers are at the other servers", 20_000);
    for (const server of left) expect((await server.chat("m")).status).toBe(200);
  }, 60_000);

  test("that is frozen loses its jobs to others within seconds, gets no new ones, and is used again when it thaws", async () => {
    await start();
    const [entry, victim] = [cluster.server(0), cluster.server(1)];
    const backend = startBackend({ chunks: 200, everyMs: 50 });
    await cluster.worker(1, { backend: backend.url, maxConcurrency: 40 });
    await cluster.served("m", [entry]);
    const streams = await openStreams([entry], 5, backend);
    victim.freeze();
    const { whole, failures } = await streams.ended;
    expect(whole).toBe(0);
    for (const failure of failures) expect(failure).toContain('"error"');
    await eventually(
      async () => (await entry.peers()).get(victim.id) !== "alive",
      "the entry server has noticed",
      10_000,
    );
    // New requests are not lost to it: another worker serves them.
    const other = startBackend();
    await cluster.worker(2, { backend: other.url, maxConcurrency: 40 });
    const asking = askOnAndOn([entry, cluster.server(2)]);
    await Bun.sleep(1000);
    expect((await asking.stop()).failures).toEqual([]);
    victim.thaw();
    await cluster.formed();
    const worker = await cluster.scriptedWorker(1, { models: ["thawed"] });
    await cluster.served("thawed", [entry]);
    const asked = entry.chat("thawed");
    const { id } = await worker.request();
    worker.answerJson(id, { choices: [] });
    expect((await asked).status).toBe(200);
  }, 60_000);

  test("whose clock is an hour off works with the others, and nothing expires early", async () => {
    const preload = `${import.meta.dir}/../support/clock-ahead.ts`;
    await start({ preloadOf: (at) => (at === 1 ? preload : undefined), env: { MODEL_GRACE: "10s" } });
    const backend = startBackend({ chunks: 20 });
    await cluster.worker(1, { backend: backend.url, maxConcurrency: 20 });
    await cluster.served("m");
    const streams = await openStreams(cluster.servers, 12, backend);
    expect(await streams.ended).toEqual({ whole: 12, failures: [] });
    const problems = await cluster.server(0).problems();
    expect(problems).toContain("cluster_clock_off");
  }, 60_000);

  test("with the id of another one that runs does not start, and says what to do", async () => {
    await start({ servers: 2 });
    const twin = cluster.twinOf(0);
    await expect(twin.start()).rejects.toThrow(/SERVER_ID/);
    expect(await twin.run.exited).not.toBe(0);
    expect((await cluster.server(0).fetch("/healthz")).status).toBe(200);
  }, 60_000);

  test("that was frozen while another one took its id is reported to operators when it thaws", async () => {
    await start({ servers: 2 });
    const frozen = cluster.server(0);
    frozen.freeze();
    const twin = cluster.twinOf(0);
    await twin.start();
    frozen.thaw();
    await eventually(
      async () => {
        const found = await Promise.all([frozen, twin].map((server) => server.problems().catch(() => [])));
        return found.flat().includes("server_id_shared");
      },
      "the operator is told",
      15_000,
    );
    expect((await twin.fetch("/healthz")).status).toBe(200);
  }, 60_000);

  test("with other keys than the rest is reported to operators", async () => {
    await start({ envOf: (at) => (at === 1 ? { CLIENT_KEY: "another-client-key" } : {}), isFormed: false });
    await cluster.formed([cluster.server(0), cluster.server(2)]);
    await eventually(
      async () => (await cluster.server(0).problems()).includes("cluster_keys_differ"),
      "the operator is told",
      15_000,
    );
  }, 60_000);
});
