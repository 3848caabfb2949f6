import { afterEach, describe, expect, test } from "bun:test";
import { ClusterProcesses } from "../support/cluster-processes.ts";
import { eventually } from "../support/eventually.ts";
import { lacks, PROGRAMS } from "../support/lacks.ts";
import { NatsListener } from "../support/nats-listener.ts";
import { ProgramRun } from "../support/program-run.ts";
import { freePort } from "../support/proxy.ts";
import { API_KEY, CLIENT_KEY } from "../support/test-server.ts";

const ROOT = `${import.meta.dir}/../..`;
const MARK = "only-for-the-model-3f9a";

let cluster: ClusterProcesses | undefined;
afterEach(async () => {
  await cluster?.stop();
  cluster = undefined;
});

describe.skipIf(lacks("secrets of a cluster", PROGRAMS.nats))("in a cluster", () => {
  test("prompts, answers and keys never travel through NATS, and NATS's password is in no log, state or metric", async () => {
    cluster = await ClusterProcesses.start({ servers: 2 });
    const [entry, owner] = [cluster.server(0), cluster.server(1)];
    const heard = cluster.use(await NatsListener.connect(cluster.nats.port));
    const worker = await cluster.scriptedWorker(1, { models: ["m"], max_concurrency: 4 });
    await cluster.served("m");
    const asked = entry.post("/v1/chat/completions", {
      model: "m",
      stream: true,
      messages: [{ role: "user", content: MARK }],
    });
    const { id } = await worker.request();
    worker.head(id, 200, undefined, `data: ${MARK}\n\n`);
    worker.data(id, "data: [DONE]\n\n", true);
    expect(await (await asked).text()).toContain(MARK);
    const before = heard.messages.length;
    await eventually(() => heard.messages.length > before, "the servers talk through NATS");
    for (const secret of [MARK, API_KEY, CLIENT_KEY]) expect(heard.text).not.toContain(secret);
    for (const server of [entry, owner]) {
      const shown = await Promise.all(
        ["/api/state", "/api/state?server=all", "/metrics", "/healthz"].map(async (path) =>
          (await server.fetch(path)).text(),
        ),
      );
      const lines = JSON.stringify(await server.log());
      for (const text of [...shown, lines]) expect(text).not.toContain("loopback-only");
    }
  }, 60_000);

  test("a connection to the port for links is refused without credentials, and gets nothing else", async () => {
    const port = await freePort();
    cluster = await ClusterProcesses.start({
      servers: 2,
      envOf: (at) => (at === 0 ? { CLUSTER_LISTEN: `127.0.0.1:${port}` } : {}),
    });
    const upgrade = {
      connection: "Upgrade",
      upgrade: "websocket",
      "sec-websocket-version": "13",
      "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==",
    };
    for (const authorization of ["", `Bearer ${API_KEY}`, `Bearer ${CLIENT_KEY}`, "Moorage-Link e30"]) {
      const response = await fetch(`http://127.0.0.1:${port}/link`, { headers: { ...upgrade, authorization } });
      expect(response.status).toBe(401);
    }
    for (const path of ["/v1/models", "/api/state", "/metrics", "/healthz"])
      expect((await fetch(`http://127.0.0.1:${port}${path}`)).ok).toBe(false);
  }, 60_000);

  test("what a client or a worker says of other servers has no effect", async () => {
    cluster = await ClusterProcesses.start({ servers: 2 });
    const [entry] = cluster.servers;
    const worker = await cluster.scriptedWorker(0, { models: ["m"], peer: { plugin: "llm" } });
    const asked = entry?.chat("m", { peer: { plugin: "llm", model: "m", exact: true, request_id: "r" } });
    const { id, head } = await worker.request();
    expect(head).not.toHaveProperty("peer");
    worker.answerJson(id, { choices: [] });
    expect((await asked)?.status).toBe(200);
  }, 60_000);
});

test("a server refuses to start with a NATS on another machine that asks for no credentials", async () => {
  const env = {
    PATH: process.env["PATH"] ?? "",
    PORT: "0",
    API_KEY,
    CLIENT_KEY,
    NATS_URL: "nats://nats.example.com:4222",
  };
  const run = new ProgramRun([process.execPath, "src/main.ts"], env, ROOT);
  expect(await run.exited).toBe(78);
  expect(await run.output).toContain("CLUSTER_OPEN");
});
