import { afterEach, describe, expect, test } from "bun:test";
import OpenAI from "openai";
import { ClusterProcesses } from "../../support/cluster-processes.ts";
import type { Env } from "../../support/cluster-server.ts";
import { filledIn, read, type Service } from "../../support/deploy-files.ts";
import { eventually } from "../../support/eventually.ts";
import { lacks, PROGRAMS } from "../../support/lacks.ts";
import { threeNodes } from "../../support/nats-nodes.ts";
import { TestNats } from "../../support/nats-server.ts";
import { PacedBackend } from "../../support/paced-backend.ts";
import { startClusterProxy } from "../../support/proxy.ts";
import { API_KEY, CLIENT_KEY } from "../../support/test-server.ts";

// What deploy/cluster/compose.yaml starts, by hand on the loopback: three servers with its settings, nats-server with its
// configuration, and Caddy with its Caddyfile. Workers and clients know Caddy's address only.

const STREAMS = 200;
const NATS_PASS = "n-deployed";

let cluster: ClusterProcesses;
/** The NATS servers beside the first one. */
const further: TestNats[] = [];
afterEach(async () => {
  await cluster.stop();
  for (const nats of further.splice(0)) await nats.stop();
});

/** The settings of a service, except for addresses. */
async function settingsOf(at: number): Promise<Env> {
  const { services } = Bun.YAML.parse(await read("deploy/cluster/compose.yaml")) as {
    readonly services: Readonly<Record<string, Service>>;
  }; // held by tests/project/deploy-cluster.test.ts
  const given = { API_KEY, CLIENT_KEY, NATS_PASS };
  const { NATS_URL, SERVER_ID, CLUSTER_LISTEN, CLUSTER_ADDRESS, METRICS_PORT, ...rest } = filledIn(
    services[`server${at + 1}`]?.environment ?? {},
    given,
  );
  return rest;
}

/** Starts everything, with one NATS server or with three that form a cluster. */
async function start({ hasThreeNats = false } = {}): Promise<{ readonly url: string; readonly backend: PacedBackend }> {
  const settings = await Promise.all([0, 1, 2].map(settingsOf));
  const config = await read("deploy/cluster/nats.conf");
  const nodes = hasThreeNats ? await threeNodes(() => config) : [{ config }];
  const [first = {}, ...others] = nodes.map((node) => ({ ...node, env: { NATS_PASS } }));
  cluster = await ClusterProcesses.start({
    nats: first,
    prepare: async () => {
      for (const node of others) further.push(await TestNats.start(node));
    },
    envOf: (at, nats) => {
      const addresses = [nats, ...further].map(({ port }) => `nats://moorage:${NATS_PASS}@127.0.0.1:${port}`);
      return { ...settings[at], NATS_URL: addresses.join() };
    },
  });
  const proxy = cluster.use(await startClusterProxy(cluster.servers.map(({ port }) => port)));
  const backend = cluster.use(new PacedBackend({ chunks: 50, everyMs: 100 }));
  for (let count = 0; count < 3; count += 1)
    await cluster.workerProcess(proxy.url, backend.url, `worker-${count}`, 300);
  await cluster.served("m");
  return { url: proxy.url, backend };
}

interface Load {
  readonly streams: number;
  readonly chats: number;
  readonly failures: readonly string[];
}

/** Keeps 200 streams running and asks 20 times a second for a chat, without a retry, until told to stop. */
function load(url: string, backend: PacedBackend): () => Promise<Load> {
  const headers = { authorization: `Bearer ${API_KEY}`, "content-type": "application/json" };
  const ask = (stream: boolean): Promise<Response> =>
    fetch(`${url}/v1/chat/completions`, {
      method: "POST",
      headers,
      body: JSON.stringify({ model: "m", stream, messages: [{ role: "user", content: "?" }] }),
    });
  const failures: string[] = [];
  let [streams, chats, isOver] = [0, 0, false];
  const stream = async (): Promise<void> => {
    while (!isOver) {
      streams += 1;
      const response = await ask(true);
      const problem = backend.problemIn(await response.text());
      if (problem !== undefined) failures.push(`stream ${response.status}: ${problem}`);
    }
  };
  const chat = async (): Promise<void> => {
    chats += 1;
    const response = await ask(false);
    const text = await response.text();
    if (response.status !== 200) failures.push(`chat ${response.status}: ${text}`);
  };
  const note = (error: unknown): void => void failures.push(String(error));
  const running: Promise<void>[] = Array.from({ length: STREAMS }, () => stream().catch(note));
  const timer = setInterval(() => running.push(chat().catch(note)), 50);
  return async () => {
    isOver = true;
    clearInterval(timer);
    await Promise.all(running);
    return { streams, chats, failures };
  };
}

describe.skipIf(lacks("a cluster as deploy/cluster runs it", PROGRAMS.nats, PROGRAMS.caddy))(
  "a cluster as deploy/cluster runs it",
  () => {
    test("is restarted server by server, and NATS node by node, under 200 streams and chats without a failed stream or an answer of 5xx", async () => {
      const { url, backend } = await start({ hasThreeNats: true });
      const stop = load(url, backend);
      for (const server of cluster.servers) {
        expect(await server.stop()).toBe(0);
        await server.start();
        await cluster.formed();
      }
      for (const nats of [cluster.nats, ...further]) {
        await nats.restart();
        await cluster.formed();
      }
      const { streams, chats, failures } = await stop();
      expect(failures).toEqual([]);
      expect(streams).toBeGreaterThan(STREAMS);
      expect(chats).toBeGreaterThan(100);
    }, 180_000);

    test("serves the official SDK while servers die and come back", async () => {
      const { url } = await start();
      const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: API_KEY, maxRetries: 5 });
      const ask = async (): Promise<string | null | undefined> => {
        const { choices } = await client.chat.completions.create({
          model: "m",
          messages: [{ role: "user", content: "?" }],
        });
        return choices[0]?.message.content;
      };
      for (const server of cluster.servers) {
        await server.kill();
        for (let count = 0; count < 5; count += 1) expect(await ask()).toBe("whole");
        await server.start();
        await cluster.formed();
      }
      const { data } = await client.models.list();
      expect(data.map(({ id }) => id)).toEqual(["m"]);
      // Each server serves the model again, whichever of them has the workers.
      for (const server of cluster.servers) {
        const status = async (): Promise<boolean> => (await server.chat("m")).status === 200;
        await eventually(status, `${server.id} serves the model`, 20_000);
      }
    }, 120_000);

    test("lets its servers do everything with the permissions of nats.conf, and nobody else", async () => {
      await start();
      for (const server of cluster.servers) {
        const state = await (await server.fetch("/api/state")).text();
        expect(state).not.toContain("bus_away");
        expect(state).not.toContain("cluster_records_missing");
        expect((await server.chat("m")).status).toBe(200);
      }
      const drain = `/api/state/workers/worker-0/drain`;
      expect((await cluster.server(0).fetch(drain, { method: "POST" })).status).toBe(200);
      const isDrained = async (): Promise<boolean> =>
        (await (await cluster.server(2).fetch("/api/state")).text()).includes('"restrictions":[{');
      await eventually(isDrained, "another server knows the record of the drain");
      const lines = (await Promise.all(cluster.servers.map((server) => server.log()))).flat();
      const denied = lines.filter((line) => /permission/i.test(JSON.stringify(line)));
      expect(denied).toEqual([]);
    }, 60_000);
  },
);
