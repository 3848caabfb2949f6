import { afterEach, describe, expect, test } from "bun:test";
import { createLog } from "../../../src/system/log.ts";
import type { Config } from "../../support/default-config.ts";
import { eventually } from "../../support/eventually.ts";
import { LegacyWorker } from "../../support/legacy-worker.ts";
import { NativeWorker } from "../../support/native-worker.ts";
import { API_KEY, CLIENT_KEY, TestServer } from "../../support/test-server.ts";

/** As much of the state as is read here; its shape is held by its own tests. */
interface Envelope {
  readonly plugins: { readonly llm: { readonly jobs: readonly { readonly id: string }[] } };
}

const servers: TestServer[] = [];
const lines: string[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
  lines.splice(0);
});

function start(overrides: Partial<Config> = {}): TestServer {
  const log = createLog({ level: "debug", format: "json", write: (line) => lines.push(line), now: Date.now });
  const server = new TestServer({ plugins: ["llm", "asr", "mcp"], ...overrides }, { log });
  servers.push(server);
  return server;
}

/** Returns the llm plugin's drained and blocked workers. */
async function restrictionsOf(server: TestServer, plugin = "llm"): Promise<unknown> {
  const envelope = (await (await server.fetch("/api/state")).json()) as {
    plugins: Record<string, { restrictions: unknown }>; // Held by the assertions.
  };
  return envelope.plugins[plugin]?.restrictions;
}

const act = (server: TestServer, path: string, init: RequestInit = {}): Promise<Response> =>
  server.fetch(`/api/state/${path}`, { method: "POST", ...init });

async function signIn(server: TestServer): Promise<string> {
  const response = await fetch(`${server.url}/state/sign-in`, {
    method: "POST",
    body: new URLSearchParams({ key: API_KEY }),
    redirect: "manual",
  });
  return response.headers.get("set-cookie")?.split(";")[0] ?? "";
}

describe("an operator", () => {
  test("can drain a worker, which gets no more jobs until the drain is cancelled", async () => {
    const server = start();
    const drained = await server.worker({ worker_id: "drained" });
    const other = await server.worker({ worker_id: "other" });
    const answer = await act(server, "workers/drained/drain");
    expect(await answer.json()).toEqual({ id: "drained", action: "drain", status: "ok", plugins: ["llm"] });
    const first = server.chat("m");
    const second = server.chat("m");
    other.answerJson((await other.request()).id, { n: 1 });
    other.answerJson((await other.request()).id, { n: 2 });
    expect((await Promise.all([first, second])).map(({ status }) => status)).toEqual([200, 200]);
    expect((await server.state()).workers.find(({ id }) => id === "drained")).toMatchObject({ operator_drained: true });

    await act(server, "workers/other/drain");
    const third = server.chat("m");
    await act(server, "workers/drained/undrain");
    drained.answerJson((await drained.request()).id, { n: 3 });
    expect((await third).status).toBe(200);
  });

  test("can disconnect a worker", async () => {
    const server = start();
    const worker = await server.worker({ worker_id: "w" });
    expect((await act(server, "workers/w/disconnect")).status).toBe(200);
    expect((await worker.closed).code).toBe(1012);
    await eventually(async () => (await server.state()).workers.length === 0);
  });

  test("drains a worker for good: it stays drained when it reconnects, and when it is away", async () => {
    const server = start({ queueTimeoutMs: 100 });
    const worker = await server.worker({ worker_id: "w", worker_name: "Attic" });
    await act(server, "workers/w/drain");
    await act(server, "workers/w/disconnect");
    await worker.closed;
    expect(await restrictionsOf(server)).toMatchObject([{ id: "w", name: "Attic", connected: false, blocked: null }]);
    const again = await server.worker({ worker_id: "w" });
    expect((await server.state()).workers[0]).toMatchObject({ operator_drained: true, status: "draining" });
    expect((await server.chat("m")).status).toBe(503);
    again.close();
    await eventually(async () => (await server.state()).workers.length === 0);
    expect((await act(server, "workers/w/undrain")).status).toBe(200);
    expect(await restrictionsOf(server)).toEqual([]);
    const last = await server.worker({ worker_id: "w" });
    const answer = server.chat("m");
    last.answerJson((await last.request()).id, {});
    expect((await answer).status).toBe(200);
  });

  test("blocks a worker, which is disconnected and refused with the reason until it is unblocked", async () => {
    const server = start();
    const worker = await server.worker({ worker_id: "w" });
    const answer = await act(server, "workers/w/block");
    expect(await answer.json()).toEqual({ id: "w", action: "block", status: "ok", plugins: ["llm"] });
    const refusal = { code: 1008, reason: "blocked by an operator" };
    expect(await worker.closed).toEqual(refusal);
    const register = { client_key: CLIENT_KEY, worker_id: "w", models: ["m"] };
    expect(await new NativeWorker({ url: server.url, register }).closed).toEqual(refusal);
    expect(await new LegacyWorker({ url: server.url, register }).closed).toEqual(refusal);
    await server.worker({ worker_id: "other" });
    expect(await restrictionsOf(server)).toMatchObject([
      { id: "w", connected: false, drained: null, blocked: { by: "api-key:1", since: expect.stringContaining("T") } },
    ]);
    expect((await act(server, "workers/w/unblock")).status).toBe(200);
    expect((await act(server, "workers/w/unblock")).status).toBe(404);
    await server.worker({ worker_id: "w" });
  });

  test("blocks an id that no plugin knows in all of them, or in the one that the request names", async () => {
    const server = start();
    expect(await (await act(server, "workers/later/block")).json()).toMatchObject({ plugins: ["llm", "asr", "mcp"] });
    expect(await (await act(server, "workers/late/block?plugin=asr")).json()).toMatchObject({ plugins: ["asr"] });
    expect((await act(server, "workers/late/block?plugin=none")).status).toBe(400);
    expect((await act(server, "workers/no%20id/block")).status).toBe(404);
    const register = { client_key: CLIENT_KEY, worker_id: "later", models: ["m"] };
    expect((await new NativeWorker({ url: server.url, register }).closed).reason).toBe("blocked by an operator");
    await server.worker({ worker_id: "late" });
    expect(await (await act(server, "workers/later/unblock")).json()).toMatchObject({ plugins: ["llm", "asr", "mcp"] });
  });

  test("can cancel a job, whose client learns that an operator did it", async () => {
    const server = start();
    const worker = await server.worker();
    const answer = server.chat("m");
    await worker.request();
    const envelope = (await (await server.fetch("/api/state")).json()) as Envelope;
    const id = envelope.plugins.llm.jobs[0]?.id ?? "";
    expect((await act(server, `jobs/${id}/cancel`)).status).toBe(200);
    const response = await answer;
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({ error: { code: "canceled_by_operator" } });
  });

  test.each([
    ["workers/none/drain", "worker_not_found"],
    ["workers/none/disconnect", "worker_not_found"],
    ["jobs/llm-none-1/cancel", "job_not_found"],
  ])("gets 404 for %s", async (path, code) => {
    const response = await act(start(), path);
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ error: { code } });
  });

  test("acts on a worker in every plugin that knows its id", async () => {
    const server = start();
    await server.worker({ worker_id: "w" });
    await NativeWorker.connect({
      url: server.url,
      path: "/api/asr/connect",
      register: { client_key: CLIENT_KEY, worker_id: "w", models: ["ear"], max_concurrency: 1 },
    });
    expect(await (await act(server, "workers/w/drain")).json()).toMatchObject({ plugins: ["llm", "asr"] });
  });

  test("leaves one log line per action, without any key", async () => {
    const server = start();
    await server.worker({ worker_id: "w" });
    await act(server, "workers/w/drain", { headers: { "x-request-id": "who-drained" } });
    await act(server, "workers/none/drain");
    const actions = lines.filter((line) => line.includes("operator.action")).map((line) => JSON.parse(line));
    expect(actions).toMatchObject([
      {
        action: "drain",
        target: "worker w",
        plugins: "llm",
        outcome: "done",
        request: "who-drained",
        caller: "api-key:1",
      },
      { action: "drain", target: "worker none", outcome: "not_found" },
    ]);
    expect(lines.join("\n")).not.toContain(API_KEY);
  });

  test("cannot fill the log with an overlong id", async () => {
    await act(start(), `workers/${"x".repeat(5000)}/drain`);
    expect(lines.find((line) => line.includes("operator.action"))?.length).toBeLessThan(500);
  });
});

describe("an operator's action is refused", () => {
  test("without a key, and when sent by GET", async () => {
    const server = start();
    expect((await fetch(`${server.url}/api/state/workers/w/drain`, { method: "POST" })).status).toBe(401);
    expect((await server.fetch("/api/state/workers/w/drain")).status).toBe(405);
  });

  test.each([
    ["with somebody's sign-in", {}],
    ["on a server that asks for no key", { apiKeys: [] }],
  ])("from a page of another site %s", async (_what, overrides) => {
    const server = start(overrides);
    await server.worker({ worker_id: "w" });
    const cookie = "apiKeys" in overrides ? "" : await signIn(server);
    const drain = (headers: Record<string, string>): Promise<Response> =>
      fetch(`${server.url}/api/state/workers/w/drain`, { method: "POST", headers: { cookie, ...headers } });
    const crossSite = await drain({ "sec-fetch-site": "cross-site" });
    expect(crossSite.status).toBe(403);
    expect(await crossSite.json()).toMatchObject({ error: { code: "origin_not_allowed" } });
    expect((await drain({ origin: "https://evil.example" })).status).toBe(403);
    expect((await drain({ "sec-fetch-site": "same-origin" })).status).toBe(200);
  });
});

describe("a token for trying the API", () => {
  async function tokenOf(server: TestServer, headers: Record<string, string>): Promise<string | null> {
    const response = await fetch(`${server.url}/api/state/token`, { method: "POST", headers });
    const { token } = (await response.json()) as { token: string | null }; // held by the assertions on it
    return token;
  }
  const statusOf = async (server: TestServer, path: string, token: string | null, method = "GET"): Promise<number> =>
    (await fetch(server.url + path, { method, headers: { authorization: `Bearer ${token}` } })).status;

  test("replaces the key on the public API and for transfers, and opens neither the state nor operator actions", async () => {
    const server = start({ plugins: ["llm", "transfer"] });
    await server.worker({ worker_id: "w" });
    const token = await tokenOf(server, { cookie: await signIn(server) });
    expect(token).toMatch(/^try-.{16,}/);
    expect(await statusOf(server, "/v1/models", token)).toBe(200);
    expect(await statusOf(server, "/api/transfer", token, "POST")).toBe(200);
    expect(await statusOf(server, "/api/state", token)).toBe(401);
    expect(await statusOf(server, "/api/state/workers/w/drain", token, "POST")).toBe(401);
    expect(await statusOf(server, "/api/state/token", token, "POST")).toBe(401);
    expect(lines.join("\n")).not.toContain(token ?? "none");
  });

  test("never reaches a worker", async () => {
    const server = start();
    const worker = await server.worker();
    const token = await tokenOf(server, { cookie: await signIn(server) });
    const answer = server.chat("m", {}, { headers: { authorization: `Bearer ${token}`, "x-api-key": token ?? "" } });
    const request = await worker.request();
    expect(JSON.stringify(request)).not.toContain(token ?? "");
    worker.answerJson(request.id, {});
    expect((await answer).status).toBe(200);
    expect(lines.join("\n")).not.toContain(token ?? "");
  });

  test("expires with the sign-in", async () => {
    const server = start();
    const cookie = await signIn(server);
    const token = await tokenOf(server, { cookie });
    expect(await statusOf(server, "/v1/models", token)).toBe(200);
    await fetch(`${server.url}/state/sign-out`, { method: "POST", headers: { cookie }, redirect: "manual" });
    expect(await statusOf(server, "/v1/models", token)).toBe(401);
  });

  test("is not issued by a server without keys, to strangers, or to other sites", async () => {
    expect(await tokenOf(start({ apiKeys: [] }), {})).toBeNull();
    const server = start();
    const post = (headers: Record<string, string>): Promise<Response> =>
      fetch(`${server.url}/api/state/token`, { method: "POST", headers });
    expect((await post({})).status).toBe(401);
    expect((await post({ cookie: await signIn(server), "sec-fetch-site": "cross-site" })).status).toBe(403);
  });

  test("that is wrong counts as a wrong key", async () => {
    const server = start({ authFailuresPerMinute: 2 });
    const statuses = [];
    for (let tries = 0; tries < 3; tries += 1) statuses.push(await statusOf(server, "/v1/models", "try-wrong"));
    expect(statuses).toEqual([401, 401, 429]);
  });
});

test("an MCP relay that is drained gets no new calls, and one that is disconnected has its link closed", async () => {
  const server = start({ mcpRejoinTimeoutMs: 0 });
  const relay = await NativeWorker.connect({
    url: server.url,
    path: "/api/mcp/connect",
    register: { type: undefined, client_key: CLIENT_KEY, id: "tools" },
  });
  const call = (): Promise<Response> => fetch(`${server.url}/api/mcp/id/tools`, { method: "POST", body: "{}" });
  expect((await act(server, "workers/tools/drain")).status).toBe(200);
  expect((await call()).status).toBe(503);
  await act(server, "workers/tools/undrain");
  const answer = call();
  const { id } = await relay.request();
  relay.answerJson(id, {});
  expect((await answer).status).toBe(200);
  await act(server, "workers/tools/disconnect");
  expect((await relay.closed).code).toBe(1012);
});

test("an MCP relay that is blocked is refused, and its callers are told so without waiting for it", async () => {
  const server = start({ mcpRejoinTimeoutMs: 60_000 });
  const register = { type: undefined, client_key: CLIENT_KEY, id: "tools" };
  const connect = (): NativeWorker => new NativeWorker({ url: server.url, path: "/api/mcp/connect", register });
  const relay = connect();
  await relay.texts.take("the registration");
  expect((await act(server, "workers/tools/block")).status).toBe(200);
  for (const each of [relay, connect()]) expect((await each.closed).reason).toBe("blocked by an operator");
  const answer = await fetch(`${server.url}/api/mcp/id/tools`, { method: "POST", body: "{}" });
  expect(answer.status).toBe(503);
  expect(await answer.text()).toContain("An operator has blocked this relay.");
  expect(await restrictionsOf(server, "mcp")).toMatchObject([{ id: "tools", connected: false }]);
  await act(server, "workers/tools/unblock");
  await connect().texts.take("the registration");
});
