import { afterEach, describe, expect, test } from "bun:test";
import { AreaCluster } from "../../support/area-cluster.ts";
import type { Config } from "../../support/default-config.ts";
import { eventually } from "../../support/eventually.ts";
import { MCP_JSON } from "../../support/mcp-server.ts";
import { NativeWorker } from "../../support/native-worker.ts";
import { API_KEY, CLIENT_KEY, type TestServer } from "../../support/test-server.ts";

let cluster: AreaCluster;
afterEach(() => cluster.stop());

async function start(overrides: Partial<Config> = {}): Promise<{ a: TestServer; b: TestServer; c: TestServer }> {
  cluster = await AreaCluster.start(["a", "b", "c"], overrides);
  const [a, b, c] = [cluster.at("a").server, cluster.at("b").server, cluster.at("c").server];
  return { a, b, c };
}

const act = (server: TestServer, path: string): Promise<Response> =>
  server.fetch(`/api/state/${path}`, { method: "POST" });

async function signIn(server: TestServer): Promise<string> {
  const response = await fetch(`${server.url}/state/sign-in`, {
    method: "POST",
    body: new URLSearchParams({ key: API_KEY }),
    redirect: "manual",
  });
  return response.headers.get("set-cookie")?.split(";")[0] ?? "";
}

const stateWith = async (server: TestServer, cookie: string): Promise<number> =>
  (await fetch(`${server.url}/api/state`, { headers: { cookie } })).status;

describe("a sign-in at one server", () => {
  test("opens the state of every other, until it is ended at any of them", async () => {
    const { a, b, c } = await start();
    const cookie = await signIn(a);
    for (const server of [a, b, c]) expect(await stateWith(server, cookie)).toBe(200);
    await fetch(`${b.url}/state/sign-out`, { method: "POST", headers: { cookie }, redirect: "manual" });
    for (const server of [a, b, c]) await eventually(async () => (await stateWith(server, cookie)) === 401);
  });

  test("gives a try token that every server takes, which ends with the sign-out", async () => {
    const { a, b, c } = await start();
    const cookie = await signIn(a);
    const issued = await fetch(`${b.url}/api/state/token`, { method: "POST", headers: { cookie } });
    const { token } = (await issued.json()) as { token: string }; // held by its own tests
    const models = async (server: TestServer): Promise<number> =>
      (await fetch(`${server.url}/v1/models`, { headers: { authorization: `Bearer ${token}` } })).status;
    for (const server of [a, b, c]) expect(await models(server)).toBe(200);
    await fetch(`${c.url}/state/sign-out`, { method: "POST", headers: { cookie }, redirect: "manual" });
    for (const server of [a, b, c]) await eventually(async () => (await models(server)) === 401);
  });

  test("that was ended stays ended at a server that starts later", async () => {
    const { a, b } = await start();
    const cookie = await signIn(a);
    await fetch(`${b.url}/state/sign-out`, { method: "POST", headers: { cookie }, redirect: "manual" });
    const late = (await cluster.add("d")).server;
    // A member learns of those that are there already in the same way.
    cluster.network.meet("d");
    await eventually(async () => (await stateWith(late, cookie)) === 401);
  });
});

describe("an operator's action at one server", () => {
  test("drains a worker of another one, and undrains it", async () => {
    const { a, b } = await start();
    const worker = await b.worker({ worker_id: "gpu" });
    cluster.network.move("llm", "gpu", "b");
    expect(await (await act(a, "workers/gpu/drain")).json()).toEqual({
      id: "gpu",
      action: "drain",
      status: "ok",
      plugins: ["llm"],
      servers: ["a", "b", "c"],
      unanswered: [],
    });
    expect((await b.state()).workers).toMatchObject([{ id: "gpu", operator_drained: true }]);
    await act(a, "workers/gpu/undrain");
    const chat = b.chat("m");
    worker.answerJson((await worker.request()).id, { n: 1 });
    expect((await chat).status).toBe(200);
  });

  test("blocks a worker everywhere, so that it may connect to no server", async () => {
    const { a, b, c } = await start();
    const worker = await b.worker({ worker_id: "gpu" });
    cluster.network.move("llm", "gpu", "b");
    await act(a, "workers/gpu/block");
    await worker.closed;
    const again = new NativeWorker({
      url: c.url,
      register: { client_key: CLIENT_KEY, worker_id: "gpu", models: ["m"] },
    });
    expect((await again.closed).reason).toContain("blocked");
    expect((await act(c, "workers/gpu/unblock")).status).toBe(200);
    await c.worker({ worker_id: "gpu" });
  });

  test("cancels a job of another one, is logged there once more, and is not found twice", async () => {
    const { a, b } = await start();
    await b.worker();
    const chat = b.chat("m");
    const jobs = async (): Promise<readonly { readonly id: string }[]> => {
      const envelope = (await (await b.fetch("/api/state")).json()) as {
        plugins: { llm: { jobs: readonly { readonly id: string }[] } };
      }; // held by the State API's own tests
      return envelope.plugins.llm.jobs;
    };
    const id = await eventually(async () => (await jobs())[0]?.id);
    expect(id).toStartWith("b~");
    const answer = await act(a, `jobs/${id}/cancel`);
    expect(await answer.json()).toMatchObject({ plugins: ["llm"], servers: ["b"] });
    expect(await (await chat).text()).toContain("canceled_by_operator");
    const lines = (server: string) => cluster.at(server).lines.filter(({ event }) => event === "operator.action");
    expect(lines("a")).toMatchObject([{ action: "cancel", caller: "api-key:1", outcome: "done" }]);
    expect(lines("b")).toMatchObject([{ action: "cancel", caller: "api-key:1", asked_by: "a" }]);
    expect(lines("c")).toEqual([]);
    expect((await act(a, `jobs/${id}/cancel`)).status).toBe(404);
  });

  test("disconnects a relay of another one", async () => {
    const { a, b } = await start();
    const relay = await NativeWorker.connect({
      url: b.url,
      path: "/api/mcp/connect",
      register: { type: undefined, client_key: CLIENT_KEY, id: "tools" },
    });
    cluster.network.move("mcp", "tools", "b");
    const call = fetch(`${a.url}/api/mcp/id/tools`, {
      method: "POST",
      body: '{"jsonrpc":"2.0","id":1,"method":"ping"}',
    });
    relay.head((await relay.request()).id, 200, MCP_JSON, "{}", true);
    expect((await call).status).toBe(200);
    expect((await act(a, "workers/tools/disconnect")).status).toBe(200);
    expect((await relay.closed).code).toBe(1012);
  });

  test("names the server that does not answer", async () => {
    const { a, b } = await start();
    await b.worker({ worker_id: "gpu" });
    cluster.network.move("llm", "gpu", "b");
    cluster.at("b").ports.isSilent = true;
    const answer = await act(a, "workers/gpu/disconnect");
    expect(answer.status).toBe(504);
    expect(await answer.text()).toContain("The server 'b' did not answer");
    expect(cluster.at("a").lines.findLast(({ event }) => event === "operator.action")).toMatchObject({
      outcome: "unknown",
    });
  });
});
