import { afterEach, describe, expect, test } from "bun:test";
import { FORM_TYPE, formBytes, sound } from "../support/audio-form.ts";
import { openStreams } from "../support/cluster-load.ts";
import { ClusterProcesses } from "../support/cluster-processes.ts";
import type { ClusterServer } from "../support/cluster-server.ts";
import { eventually } from "../support/eventually.ts";
import { lacks, PROGRAMS } from "../support/lacks.ts";
import { NativeWorker } from "../support/native-worker.ts";
import { PacedBackend } from "../support/paced-backend.ts";
import { freePort } from "../support/proxy.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";
import { CLIENT_KEY } from "../support/test-server.ts";

// Three server processes and a real nats-server, between which lines are missing or are cut.

const GRACE_S = 3;

let cluster: ClusterProcesses;
let lines: TcpProxy[] = [];
afterEach(async () => {
  await cluster.stop();
  for (const line of lines) await line.stop();
  lines = [];
});

async function lineTo(port: number): Promise<TcpProxy> {
  const line = await TcpProxy.start(`http://127.0.0.1:${port}`);
  lines.push(line);
  return line;
}

const statusAt = async (server: ClusterServer, model: string): Promise<number> => {
  const response = await server.chat(model);
  await response.text();
  return response.status;
};

describe.skipIf(lacks("a cluster of servers that do not reach each other", PROGRAMS.nats))("three servers", () => {
  test("that cannot dial each other send streams through NATS, each of them whole over a restart of nats-server, and say so", async () => {
    // Nothing listens on this port.
    cluster = await ClusterProcesses.start({ env: { CLUSTER_ADDRESS: `127.0.0.1:${await freePort()}` } });
    const backend = cluster.use(new PacedBackend({ chunks: 30, everyMs: 100 }));
    await cluster.worker(1, { backend: backend.url, maxConcurrency: 60 });
    await cluster.served("m");
    const entries = [cluster.server(0), cluster.server(2)];
    const streams = await openStreams(entries, 20, backend);
    await cluster.nats.kill();
    await Bun.sleep(300);
    await cluster.nats.restart();
    expect(await streams.ended).toEqual({ whole: 20, failures: [] });
    for (const server of entries) expect(await statusAt(server, "m")).toBe(200);
    for (const server of cluster.servers) {
      const isTold = async (): Promise<boolean> => (await server.problems()).includes("link_through_nats");
      await eventually(isTold, `${server.id} tells its operators`, 15_000);
    }
  }, 60_000);

  test("that cannot dial each other send an upload whose worker dies before its answer to another worker, or say that it was lost", async () => {
    cluster = await ClusterProcesses.start({
      servers: 2,
      env: { CLUSTER_ADDRESS: `127.0.0.1:${await freePort()}`, MODEL_GRACE: "0s", QUEUE_TIMEOUT: "2s" },
    });
    const [entry, owner] = [cluster.server(0), cluster.server(1)];
    const listener = async (): Promise<NativeWorker> => {
      const register = { client_key: CLIENT_KEY, models: ["ears"], max_concurrency: 1 };
      const worker = await NativeWorker.connect({ url: owner.url, path: "/api/asr/connect", register });
      cluster.use({ stop: () => worker.close() });
      return worker;
    };
    const form = formBytes([{ name: "model", value: "ears" }, sound(1_000_000)]);
    const headers = { "content-type": FORM_TYPE };
    const transcribe = (): Promise<Response> =>
      entry.fetch("/v1/audio/transcriptions", { method: "POST", body: form, headers });
    const first = await listener();
    await cluster.served("ears", [entry]);
    const answer = transcribe();
    await first.wholeBody(await first.request());
    const second = await listener();
    first.kill();
    const request = await second.request();
    expect(Buffer.from(await second.wholeBody(request)).equals(form)).toBeTrue();
    second.answerJson(request.id, { text: "ships" });
    expect(await (await answer).json()).toMatchObject({ text: "ships" });
    const lost = transcribe();
    // It dies with a part of the upload.
    await second.request();
    second.kill();
    const response = await lost;
    expect(response.status).toBeGreaterThanOrEqual(500);
    expect((await response.json()) as object).toHaveProperty("error.code");
    const isTold = async (): Promise<boolean> => (await entry.problems()).includes("link_through_nats");
    await eventually(isTold, "the servers have used NATS", 15_000);
  }, 60_000);

  test("of which one is cut off serve on both sides with their own workers, and are one cluster again afterwards", async () => {
    const ports = [await freePort(), await freePort(), await freePort()];
    const links = [await lineTo(ports[0] ?? 0), await lineTo(ports[1] ?? 0), await lineTo(ports[2] ?? 0)];
    let bus: TcpProxy | undefined;
    cluster = await ClusterProcesses.start({
      env: { MODEL_GRACE: `${GRACE_S}s`, START_GRACE: "0s", QUEUE_TIMEOUT: "1s" },
      prepare: async (nats) => {
        bus = await lineTo(nats.port);
      },
      envOf: (at, nats) => ({
        CLUSTER_LISTEN: `127.0.0.1:${ports[at]}`,
        CLUSTER_ADDRESS: `127.0.0.1:${links[at]?.port}`,
        ...(at === 2 && bus ? { NATS_URL: nats.url.replace(String(nats.port), bus.port) } : {}),
      }),
    });
    const [first, second, third] = [cluster.server(0), cluster.server(1), cluster.server(2)];
    // What stands between the first two servers is not cut.
    await third.kill();
    for (const line of links) line.keep();
    await third.start();
    await cluster.formed();
    const left = cluster.use(new PacedBackend({ models: ["left"] }));
    const right = cluster.use(new PacedBackend({ models: ["right"] }));
    await cluster.worker(0, { backend: left.url, maxConcurrency: 4 });
    await cluster.worker(2, { backend: right.url, maxConcurrency: 4 });
    for (const model of ["left", "right"]) await cluster.served(model);
    for (const server of cluster.servers) expect(await statusAt(server, "right")).toBe(200);

    for (const line of lines) line.cut();
    const isStatus = (server: ClusterServer, model: string, status: number): Promise<boolean> =>
      eventually(async () => (await statusAt(server, model)) === status, `${server.id} says ${status}`, 20_000);
    // The models of the other side are not ready at first, and unknown when the grace period is over.
    for (const status of [503, 404])
      await Promise.all([
        isStatus(first, "right", status),
        isStatus(second, "right", status),
        isStatus(third, "left", status),
      ]);
    expect([await statusAt(first, "left"), await statusAt(second, "left")]).toEqual([200, 200]);
    expect(await statusAt(third, "right")).toBe(200);
    for (const server of cluster.servers) expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
    const earlier = await cluster.scriptedWorker(0, { worker_id: "both", models: ["both"] });
    const later = await cluster.scriptedWorker(2, { worker_id: "both", models: ["both"] });

    for (const line of lines) line.mend();
    await cluster.formed();
    for (const model of ["left", "right"]) {
      await cluster.served(model);
      for (const server of cluster.servers) expect(await statusAt(server, model)).toBe(200);
    }
    expect(await earlier.closed).toMatchObject({ code: 4001 });
    const asked = first.chat("both");
    const { id } = await later.request();
    later.answerJson(id, { choices: [] });
    expect((await asked).status).toBe(200);
  }, 90_000);
});
