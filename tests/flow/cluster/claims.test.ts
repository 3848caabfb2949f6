import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { ClusterProcesses } from "../../support/cluster-processes.ts";
import type { ClusterServer } from "../../support/cluster-server.ts";
import { eventually } from "../../support/eventually.ts";
import { lacks, PROGRAMS } from "../../support/lacks.ts";
import { PacedBackend } from "../../support/paced-backend.ts";

// What a server does when it knows less of a peer than the peer itself. The server of the workers is frozen for a moment, so
// that the others act on what they were told last. A link is cut only after 1.5 s of silence.

const SILENT_MS = 1000;
const LONG_MS = 30_000;
/** More than is sent before a slot has been confirmed. */
const LARGE_BYTES = 400_000;

describe.skipIf(lacks("claims in a cluster", PROGRAMS.nats))("a job for a worker of another server", () => {
  let cluster: ClusterProcesses;
  let owner: ClusterServer;
  let entries: readonly [ClusterServer, ClusterServer];

  beforeAll(async () => {
    cluster = await ClusterProcesses.start({
      env: { QUEUE_TIMEOUT: "20s", REQUEST_TIMEOUT: `${SILENT_MS}ms`, REQUEST_TIMEOUT_WHOLE: "1m" },
    });
    owner = cluster.server(1);
    entries = [cluster.server(0), cluster.server(2)];
  }, 60_000);
  afterAll(() => cluster.stop());
  afterEach(async () => {
    owner.thaw();
    await cluster.dismiss();
  });

  const hasSent = async (server: ClusterServer): Promise<boolean> =>
    (await server.pool()).jobs.some(({ status }) => status === "running");
  const refusals = (server: ClusterServer): Promise<number> =>
    server.metric('moorage_cluster_refusals_total{direction="out"}');

  test.each([
    ["small", 5],
    ["large", LARGE_BYTES],
  ])(
    "of which two are sent for one slot: one is refused, waits, and is served next, its %s body whole",
    async (_size, bytes) => {
      const worker = await cluster.workerOfM(1);
      const before = await Promise.all(entries.map(refusals));
      const content = "x".repeat(bytes);
      owner.freeze();
      const asked = entries.map((server) => server.chat("m", { messages: [{ role: "user", content }] }));
      for (const server of entries) await eventually(() => hasSent(server), `${server.id} has sent its job`);
      owner.thaw();
      for (const _ of entries) {
        const request = await worker.request();
        const body = await worker.wholeBody(request);
        expect(JSON.parse(Buffer.from(body).toString())).toMatchObject({ messages: [{ content }] });
        worker.answerJson(request.id, { choices: [] });
      }
      for (const response of await Promise.all(asked)) expect(response.status).toBe(200);
      const after = await Promise.all(entries.map(refusals));
      const refused = after.reduce((sum, count, at) => sum + count - (before[at] ?? 0), 0);
      expect(refused).toBeGreaterThan(0);
      expect(worker.frames.waiting).toBe(0);
    },
    LONG_MS,
  );

  test(
    "waits for its model at a server that has just started and has not been told of it yet",
    async () => {
      const [, newcomer] = entries;
      const worker = await cluster.workerOfM(1);
      await newcomer.kill();
      owner.freeze();
      await newcomer.start({ START_GRACE: "20s" });
      const asked = newcomer.chat("m");
      expect(await Promise.race([asked.then(({ status }) => status), Bun.sleep(300)])).toBeUndefined();
      owner.thaw();
      const { id } = await worker.request();
      worker.answerJson(id, { choices: [] });
      expect((await asked).status).toBe(200);
      await cluster.formed();
    },
    LONG_MS,
  );

  test(
    "that is silent for too long ends at the server of its client, which tells the worker so",
    async () => {
      const worker = await cluster.workerOfM(1);
      const asked = entries[0].chat("m", { stream: true });
      const { id } = await worker.request();
      expect((await asked).status).toBe(504);
      expect(await worker.reset()).toMatchObject({ id, code: "timeout" });
      worker.breakOff(id, "timeout");
    },
    LONG_MS,
  );

  test(
    "that names a worker which has just left waits for it, and finds it at the server to which it returns",
    async () => {
      const left = await cluster.workerOfM(1, { worker_id: "gpu" });
      left.close();
      await left.closed;
      const isGone = async (server: ClusterServer): Promise<boolean> => (await server.models()).length === 0;
      await eventually(() => isGone(entries[0]), "it has left", 10_000);
      const asked = entries[0].post("/api/llm/id/gpu/v1/chat/completions", { model: "m", messages: [] });
      await entries[0].waiting(1);
      const back = await cluster.workerOfM(2, { worker_id: "gpu" });
      const { id } = await back.request();
      back.answerJson(id, { choices: [] });
      expect((await asked).status).toBe(200);
      const other = await entries[0].post("/api/llm/id/never/v1/chat/completions", { model: "m", messages: [] });
      expect(other.status).toBe(404);
    },
    LONG_MS,
  );

  test(
    "goes on when the server of its client stops, and so do those that wait there and those that still come",
    async () => {
      const [stopping] = entries;
      const backend = cluster.use(new PacedBackend({ chunks: 8, everyMs: 50 }));
      const worker = await cluster.worker(1, { backend: backend.url, maxConcurrency: 2 });
      await cluster.served("m");
      const streams = Array.from({ length: 6 }, () => stopping.chat("m", { stream: true }));
      await stopping.waiting(4);
      const code = stopping.stop();
      await eventually(async () => (await fetch(`${stopping.url}/healthz`)).status === 503, "it stops");
      const late = stopping.chat("m");
      for (const response of await Promise.all(streams)) {
        expect(response.status).toBe(200);
        expect(backend.problemIn(await response.text())).toBeUndefined();
      }
      expect((await late).status).toBe(200);
      expect(await code).toBe(0);
      await stopping.start();
      await cluster.formed();
      await worker.stop();
    },
    LONG_MS,
  );
});
