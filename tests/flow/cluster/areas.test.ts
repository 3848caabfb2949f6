import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { ClusterProcesses } from "../../support/cluster-processes.ts";
import type { ClusterServer } from "../../support/cluster-server.ts";
import { eventually } from "../../support/eventually.ts";
import { lacks, PROGRAMS } from "../../support/lacks.ts";
import { startFixture } from "../../support/mcp-rig.ts";
import { NativeWorker } from "../../support/native-worker.ts";
import { API_KEY, CLIENT_KEY } from "../../support/test-server.ts";

// What is neither a model nor a job: relays, transfers, sign-ins and operators' actions, over three servers and a
// nats-server in processes of their own.

/** Three processes start, and a server that was killed has to be noticed. */
const SLOW_MS = 60_000;

const act = (server: ClusterServer, path: string): Promise<Response> =>
  server.fetch(`/api/state/${path}`, { method: "POST" });

/** Calls a function of the MCP server and returns the first text of its result. */
async function callTool(server: ClusterServer): Promise<string> {
  const client = new Client({ name: "test", version: "1" }, { versionNegotiation: { mode: "auto" } });
  await client.connect(new StreamableHTTPClientTransport(new URL(`${server.url}/api/mcp/id/tools/mcp`)));
  try {
    const { content } = await client.callTool({ name: "test_simple_text", arguments: {} });
    return content[0]?.type === "text" ? content[0].text : "no text";
  } finally {
    await client.close();
  }
}

describe.skipIf(lacks("servers on a real nats-server", PROGRAMS.nats))("a cluster of three processes", () => {
  let cluster: ClusterProcesses;
  let fixture: Awaited<ReturnType<typeof startFixture>>;
  beforeAll(async () => {
    fixture = await startFixture();
    cluster = await ClusterProcesses.start({ env: { PLUGINS: "llm,mcp,transfer", MCP_REJOIN_TIMEOUT: "10s" } });
  }, SLOW_MS);
  afterAll(async () => {
    await cluster.stop();
    await fixture.stop();
  });

  test(
    "serves a relay at each of its servers, also after the relay's server was killed",
    async () => {
      const relay = await cluster.worker(0, { kinds: ["mcp"], id: "tools", mcpUrl: fixture.url });
      for (const server of cluster.servers) expect(await callTool(server)).toBeString();
      await cluster.server(0).kill();
      await relay.stop();
      // A supervisor would start the relay again, and a balancer lead it to another server.
      const calls = [1, 2].map((at) => callTool(cluster.server(at)));
      await cluster.worker(1, { kinds: ["mcp"], id: "tools", mcpUrl: fixture.url });
      for (const call of calls) expect(await call).toBeString();
      await cluster.server(0).start();
      await cluster.formed();
      expect(await callTool(cluster.server(0))).toBeString();
    },
    SLOW_MS,
  );

  test("carries a transfer from one server to another by a channel of the third", async () => {
    const [owner, writer, reader] = cluster.servers;
    if (!owner || !writer || !reader) throw new Error("three servers");
    const created = await owner.fetch("/api/transfer", { method: "POST" });
    const { channel_id: id } = (await created.json()) as { channel_id: string }; // held by the API's own tests
    const bytes = crypto
      .getRandomValues(new Uint8Array(64 * 1024))
      .toBase64()
      .repeat(200);
    const [got, sent] = await Promise.all([
      reader.fetch(`/api/transfer/${id}`).then((each) => each.text()),
      writer.fetch(`/api/transfer/${id}`, { method: "POST", body: bytes }),
    ]);
    expect(Bun.hash(got)).toBe(Bun.hash(bytes));
    expect(await sent.json()).toEqual({ status: "ok", bytes: bytes.length });
  });

  test(
    "knows a sign-in and its end everywhere, also at a server that has just restarted",
    async () => {
      const [one, two, three] = cluster.servers;
      if (!one || !two || !three) throw new Error("three servers");
      const signedIn = async (): Promise<string> => {
        const body = new URLSearchParams({ key: API_KEY });
        const response = await fetch(`${one.url}/state/sign-in`, { method: "POST", body, redirect: "manual" });
        return response.headers.get("set-cookie")?.split(";")[0] ?? "";
      };
      const status = async (server: ClusterServer, cookie: string): Promise<number> =>
        (await fetch(`${server.url}/api/state`, { headers: { cookie } })).status;
      const [kept, ended] = [await signedIn(), await signedIn()];
      for (const server of cluster.servers) expect(await status(server, kept)).toBe(200);
      await fetch(`${two.url}/state/sign-out`, { method: "POST", headers: { cookie: ended }, redirect: "manual" });
      for (const server of cluster.servers) await eventually(async () => (await status(server, ended)) === 401);
      await three.kill();
      await three.start();
      await cluster.formed();
      expect(await status(three, kept)).toBe(200);
      await eventually(async () => (await status(three, ended)) === 401, "the server was told of the sign-out");
    },
    SLOW_MS,
  );

  test(
    "lets an operator at any server act on workers and jobs of any other",
    async () => {
      const [one, two] = cluster.servers;
      if (!one || !two) throw new Error("three servers");
      const worker = await cluster.scriptedWorker(1, { worker_id: "gpu", models: ["only"] });
      await cluster.served("only");
      const chat = one.chat("only");
      const { id: exchange } = await worker.request();
      const jobs = async (): Promise<readonly { readonly id: string }[]> => {
        const envelope = (await (await one.fetch("/api/state")).json()) as {
          plugins: { llm: { jobs: readonly { readonly id: string }[] } };
        }; // held by the State API's own tests
        return envelope.plugins.llm.jobs;
      };
      const id = await eventually(async () => (await jobs())[0]?.id);
      expect((await act(cluster.server(2), `jobs/${id}/cancel`)).status).toBe(200);
      expect(await (await chat).text()).toContain("canceled_by_operator");
      worker.breakOff(exchange, "canceled");

      expect(await (await act(cluster.server(2), "workers/gpu/drain")).json()).toMatchObject({
        plugins: ["llm"],
        servers: expect.arrayContaining(["s1", "s2", "s3"]),
        unanswered: [],
      });
      await act(cluster.server(0), "workers/gpu/undrain");
      await act(cluster.server(0), "workers/gpu/block");
      await worker.closed;
      const again = new NativeWorker({
        url: cluster.server(2).url,
        register: { client_key: CLIENT_KEY, worker_id: "gpu", models: ["only"] },
      });
      expect((await again.closed).reason).toContain("blocked");
      expect((await act(two, "workers/gpu/unblock")).status).toBe(200);
    },
    SLOW_MS,
  );

  test(
    "shows the state and the history of each server at any of them, and counts a job once",
    async () => {
      const [one, two, three] = cluster.servers;
      if (!one || !two || !three) throw new Error("three servers");
      const worker = await cluster.scriptedWorker(1, { worker_id: "seen", models: ["counted"] });
      await cluster.served("counted");
      const asked = one.chat("counted");
      worker.answerJson((await worker.request()).id, { choices: [] });
      expect((await asked).status).toBe(200);
      const read = async (path: string): Promise<string> => (await three.fetch(path)).text();
      await eventually(async () => (await read("/api/state?server=s2")).includes('"seen"'), "the state is passed on");
      for (const path of ["/api/state?server=all", "/api/state/history?server=all"])
        expect((await three.fetch(path)).status).toBe(200);
      expect(JSON.parse(await read("/api/state/history?server=s2"))).toHaveProperty("samples.slots_total");
      const completed = 'moorage_jobs_total{plugin="llm",model="counted",outcome="completed"}';
      expect(await one.metric(completed)).toBe(1);
      expect(await (await two.fetch("/metrics")).text()).not.toContain(completed);
      worker.close();
    },
    SLOW_MS,
  );

  test(
    "names a server that does not answer an operator",
    async () => {
      const worker = await cluster.scriptedWorker(1, { worker_id: "frozen" });
      await eventually(async () => (await act(cluster.server(0), "workers/frozen/undrain")).status === 200);
      cluster.server(1).freeze();
      try {
        const answer = await act(cluster.server(0), "workers/frozen/disconnect");
        expect(answer.status).toBe(504);
        expect(await answer.text()).toContain("'s2'");
      } finally {
        cluster.server(1).thaw();
      }
      worker.close();
      await cluster.formed();
    },
    SLOW_MS,
  );
});
