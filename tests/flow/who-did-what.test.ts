import { afterEach, beforeEach, expect, test } from "bun:test";
import { createLog } from "../../src/system/log.ts";
import { eventually } from "../support/eventually.ts";
import { McpServer } from "../support/mcp-server.ts";
import { NativeWorker } from "../support/native-worker.ts";
import { API_KEY, CLIENT_KEY } from "../support/test-server.ts";

type Line = Readonly<Record<string, unknown>>;

const CLIENT = "198.51.100.7";
const WRONG = "not-one-of-the-keys";

let server: McpServer;
let lines: string[];

beforeEach(() => {
  lines = [];
  const log = createLog({ level: "info", format: "json", now: Date.now, write: (line) => void lines.push(line) });
  server = new McpServer(
    { plugins: ["llm", "mcp", "transfer"], apiKeys: ["other", API_KEY], clientKeys: ["other", CLIENT_KEY] },
    { log },
  );
});
afterEach(() => server.stop());

/** Resolves to the first line of an event. */
async function lineOf(event: string): Promise<Line> {
  const find = (): Line | undefined =>
    lines.map((line) => JSON.parse(line) as Line).find((each) => each["event"] === event); // What the log writes.
  await eventually(() => find() !== undefined, `the log has ${event}`);
  return find() ?? {};
}

/** The headers of a client behind a proxy on this machine. */
const behindProxy = { "x-forwarded-for": CLIENT };

test("a worker's session is logged with its name, address, key and version", async () => {
  await server.worker({ models: ["m"], worker_id: "gpu-1", worker_name: "rack 7", version: "0.9", max_concurrency: 3 });
  expect(await lineOf("session.opened")).toMatchObject({
    plugin: "llm",
    worker: "gpu-1",
    name: "rack 7",
    address: "127.0.0.1",
    caller: "client-key:2",
    version: "0.9",
    dialect: "native",
    models: 1,
    slots: 3,
  });
});

test("the session of an MCP relay is logged without a number of slots, which it does not declare", async () => {
  await server.relay();
  const line = await lineOf("session.opened");
  expect(line).toMatchObject({ plugin: "mcp", address: "127.0.0.1", caller: "client-key:2" });
  expect(line).not.toHaveProperty("slots");
});

test("a refused worker is logged with its address, the reason and the id that it claims", async () => {
  const register = { client_key: WRONG, worker_id: "gpu-1", worker_name: "rack 7", models: ["m"] };
  await new NativeWorker({ url: server.url, register }).closed;
  expect(await lineOf("session.refused")).toMatchObject({
    plugin: "llm",
    reason: "unauthorized",
    address: "127.0.0.1",
    worker: "gpu-1",
    name: "rack 7",
  });
  expect(lines.join()).not.toContain(WRONG);
});

test("requests with wrong keys are logged with the client's address and the route, in one line for many", async () => {
  const headers = { ...behindProxy, authorization: `Bearer ${WRONG}` };
  const statuses = [];
  for (let each = 0; each < 30; each += 1)
    statuses.push((await server.fetch("/v1/models?key=abc", { headers })).status);
  expect(new Set(statuses)).toEqual(new Set([401, 429]));
  expect(await lineOf("auth.failed")).toMatchObject({
    level: "warn",
    address: CLIENT,
    door: "api",
    route: "/v1/models",
    reason: "wrong_key",
    count: 1,
  });
  expect(lines.filter((line) => line.includes("auth.failed"))).toHaveLength(1);
  expect(lines.join()).not.toMatch(/abc|not-one-of-the-keys/);
});

test("a request without a key is logged at a lower level, since it is no guess", async () => {
  await fetch(`${server.url}/api/state`, { headers: behindProxy });
  expect(await lineOf("auth.failed")).toMatchObject({
    level: "info",
    reason: "no_key",
    door: "state",
    address: CLIENT,
  });
});

test("a job is logged with its client's address and route, also if the client leaves", async () => {
  await server.worker({ models: ["m"] });
  const abort = new AbortController();
  const answer = server.chat("m", {}, { signal: abort.signal, headers: behindProxy });
  await eventually(async () => (await server.state()).server["jobs_inflight_total"] === 1, "the job runs");
  abort.abort();
  await expect(answer).rejects.toThrow();
  expect(await lineOf("job.ended")).toMatchObject({
    outcome: "canceled",
    caller: "api-key:2",
    address: CLIENT,
    route: "/v1/chat/completions",
  });
});

test("an MCP call is logged with its client's address and route", async () => {
  const relay = await server.relay();
  const answer = server.rpc({ jsonrpc: "2.0", id: 1, method: "ping" }, { headers: behindProxy });
  relay.answerJson((await relay.request()).id, {});
  await answer;
  const line = await lineOf("call.ended");
  expect(line).toMatchObject({ caller: "anonymous", address: CLIENT });
  expect(line["route"]).toStartWith("/api/mcp/id/");
});

test("a transfer is logged with the addresses of both sides, and never with its channel", async () => {
  const made = await server.fetch("/api/transfer", { method: "POST" });
  const { channel_id } = (await made.json()) as { channel_id: string }; // What the API promises.
  const read = server.fetch(`/api/transfer/${channel_id}`, { headers: behindProxy });
  await server.fetch(`/api/transfer/${channel_id}`, { method: "PUT", body: "ahoy" });
  await (await read).text();
  expect(await lineOf("transfer.ended")).toMatchObject({
    reader_address: CLIENT,
    writer_address: "127.0.0.1",
    route: "/api/transfer/*",
  });
  expect(lines.join()).not.toContain(channel_id);
});

test("an operator who has signed in is named by the key and address, at the sign-in and at each action", async () => {
  await server.worker({ models: ["m"], worker_id: "gpu-1" });
  const form = { method: "POST", body: `key=${API_KEY}`, redirect: "manual" as const, headers: behindProxy };
  const signedIn = await fetch(`${server.url}/state/sign-in`, form);
  const cookie = signedIn.headers.get("set-cookie")?.split(";")[0] ?? "";
  const by = { caller: "api-key:2", address: CLIENT };
  expect(await lineOf("operator.signed_in")).toMatchObject(by);
  const acted = await fetch(`${server.url}/api/state/workers/gpu-1/drain`, {
    method: "POST",
    headers: { ...behindProxy, cookie },
  });
  expect(acted.status).toBe(200);
  expect(await lineOf("operator.action")).toMatchObject({ ...by, action: "drain", target: "worker gpu-1" });
});

test("the filter for fail2ban in docs/monitoring.md finds the addresses of wrong keys, and no others", async () => {
  const page = await Bun.file(`${import.meta.dir}/../../docs/monitoring.md`).text();
  const [, written = ""] = /failregex = ([\s\S]*?)\ndatepattern/.exec(page) ?? [];
  const patterns = written.split("\n").map((pattern) => new RegExp(pattern.trim().replace("<HOST>", "([\\da-f.:]+)")));
  expect(patterns).toHaveLength(2);
  const register = { client_key: WRONG, worker_name: '"reason":"unauthorized","address":"192.0.2.66"', models: ["m"] };
  await new NativeWorker({ url: server.url, register }).closed;
  await server.fetch("/v1/models", { headers: { ...behindProxy, authorization: `Bearer ${WRONG}` } });
  await fetch(`${server.url}/v1/models`, { headers: { "x-forwarded-for": "192.0.2.66" } });
  await new NativeWorker({ url: server.url, register: { client_key: CLIENT_KEY, models: "none" } }).closed;
  await eventually(() => lines.filter((line) => /failed|refused/.test(line)).length >= 4, "all are logged");
  const found = lines.flatMap((line) => patterns.flatMap((pattern) => pattern.exec(line)?.[1] ?? []));
  expect(found.sort()).toEqual(["127.0.0.1", CLIENT]);
});
