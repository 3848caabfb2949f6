import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "../support/eventually.ts";
import { LegacyWorker } from "../support/legacy-worker.ts";
import { NativeWorker } from "../support/native-worker.ts";
import { ProgramRun } from "../support/program-run.ts";
import { freePort } from "../support/proxy.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const ROOT = join(import.meta.dir, "../..");
const CALL = '{"jsonrpc":"2.0","id":1,"method":"tools/list"}';
const running: { stop(): unknown }[] = [];
let url = "";
let env: Readonly<Record<string, string>> = {};
let server: ProgramRun;

function keep<T extends { stop(): unknown }>(each: T): T {
  running.push(each);
  return each;
}

async function startServer(more: Readonly<Record<string, string>> = {}): Promise<ProgramRun> {
  server = keep(new ProgramRun([process.execPath, "src/main.ts"], { ...env, ...more }, ROOT));
  await server.event("server.started");
  return server;
}

async function killServer(): Promise<void> {
  server.kill();
  await server.exited;
}

const relay = (clientKey: string, more: object = {}): NativeWorker =>
  new NativeWorker({
    url,
    path: "/api/mcp/connect",
    register: { type: undefined, client_key: clientKey, id: "tickets", ...more },
  });

const legacyRelay = (clientKey: string): LegacyWorker =>
  new LegacyWorker({
    url,
    path: "/api/mcp/connect",
    register: { type: undefined, client_key: clientKey, id: "tickets" },
  });

/** Calls Alice's tool with the token that only her relay may see. */
const call = (): Promise<Response> =>
  fetch(`${url}/api/mcp/id/tickets`, {
    method: "POST",
    headers: { authorization: "Bearer alices-secret", "content-type": "application/json" },
    body: CALL,
  });

beforeEach(async () => {
  const directory = temporaryDirectory();
  running.push({ stop: () => directory.remove() });
  const port = await freePort();
  url = `http://127.0.0.1:${port}`;
  env = {
    PATH: process.env["PATH"] ?? "",
    PORT: String(port),
    HOST: "127.0.0.1",
    API_KEY: "api",
    CLIENT_KEY: "alice,mallory",
    DATA_DIR: join(directory.path, "data"),
  };
});
afterEach(async () => {
  for (const each of running.splice(0).reverse()) await each.stop();
});

test("a relay's id and its callers' tokens never reach another key after the server was killed, whichever of the two is back first", async () => {
  await startServer();
  let alice = relay("alice");
  await alice.texts.take("the registration");
  for (let round = 1; round <= 6; round += 1) {
    await killServer();
    await startServer();
    const answer = call();
    const mallory = relay("mallory", { info: { auth: "oauth" } });
    expect((await mallory.closed).reason).toStartWith("id in use");
    expect((await legacyRelay("mallory").closed).reason).toStartWith("id in use");
    // A relay that was refused has a closed socket, so no call can have reached it.
    expect(mallory.socket.readyState).toBe(WebSocket.CLOSED);
    alice = relay("alice");
    await alice.texts.take("the registration");
    const request = await alice.request();
    expect(request.head.headers).toContainEqual(["authorization", "Bearer alices-secret"]);
    alice.answerJson(request.id, { jsonrpc: "2.0", id: 1, result: {} });
    expect((await answer).status).toBe(200);
  }
}, 60_000);

test("the key is replaced over restarts: proven at once, or after the old key is gone from the server", async () => {
  await startServer();
  await relay("alice").texts.take("the registration");
  await killServer();
  await startServer({ CLIENT_KEY: "alice2,alice,mallory" });
  expect((await relay("alice2").closed).reason).toStartWith("id in use");
  const proven = relay("alice2", { previous_client_key: "alice" });
  await proven.texts.take("the registration");
  await killServer();
  // The id belongs to the new key now.
  await startServer({ CLIENT_KEY: "alice,mallory,alice3,alice2" });
  expect((await relay("alice").closed).reason).toStartWith("id in use");
  await killServer();
  await startServer({ CLIENT_KEY: "alice3,mallory" });
  await relay("alice3").texts.take("the registration");
}, 60_000);

describe("a server with several client keys", () => {
  const problems = async (): Promise<string> => {
    const state = await fetch(`${url}/api/state`, { headers: { authorization: "Bearer api" } });
    return JSON.stringify(((await state.json()) as { server: { problems: unknown } }).server.problems); // The State API's tests check this.
  };

  test("says without DATA_DIR that it forgets owners at a restart, and writes nothing", async () => {
    await startServer({ DATA_DIR: "" });
    await server.event("server.owners_not_kept");
    await eventually(async () => (await problems()).includes("owners_not_kept"), "the problem is there");
    expect(existsSync(env["DATA_DIR"] ?? "")).toBe(false);
  }, 20_000);

  test("says nothing of it with DATA_DIR, which holds no key", async () => {
    await startServer();
    await relay("alice").texts.take("the registration");
    await Bun.sleep(1100);
    expect(await problems()).not.toContain("owners_not_kept");
    await server.stop();
    expect(await server.output).not.toContain("owners_not_kept");
    const directory = env["DATA_DIR"] ?? "";
    for (const file of readdirSync(directory)) {
      const bytes = await Bun.file(join(directory, file)).bytes();
      for (const secret of ["alice", "mallory"]) expect(Buffer.from(bytes).includes(secret)).toBe(false);
    }
  }, 20_000);
});

test("drained and blocked workers stay so after the server was killed", async () => {
  await startServer();
  const act = (path: string): Promise<Response> =>
    fetch(`${url}/api/state/workers/${path}`, { method: "POST", headers: { authorization: "Bearer api" } });
  const worker = (id: string): NativeWorker =>
    new NativeWorker({ url, register: { client_key: "alice", worker_id: id, models: ["m"] } });
  const first = worker("blocked");
  await first.registered();
  for (const path of ["blocked/block", "later/drain?plugin=llm", "tickets/block"]) await act(path);
  await worker("later").registered();
  expect((await act("later/drain")).status).toBe(200);
  await killServer();
  await startServer();
  expect((await worker("blocked").closed).reason).toBe("blocked by an operator");
  expect((await relay("alice").closed).reason).toBe("blocked by an operator");
  await worker("later").registered();
  const state = await fetch(`${url}/api/state`, { headers: { authorization: "Bearer api" } });
  const { plugins } = (await state.json()) as { plugins: { llm: { workers: unknown; restrictions: unknown } } }; // The State API's tests check this.
  expect(plugins.llm.workers).toMatchObject([{ id: "later", operator_drained: true }]);
  expect(plugins.llm.restrictions).toMatchObject([
    { id: "later", connected: true, drained: { by: "api-key:1" }, blocked: null },
    { id: "blocked", connected: false, drained: null, blocked: { by: "api-key:1" } },
    { id: "tickets", connected: false },
  ]);
  expect((await act("blocked/unblock")).status).toBe(200);
  await worker("blocked").registered();
}, 20_000);

test("a second server with the same DATA_DIR ends with exit code 75 and says what to do, until the first was killed", async () => {
  await startServer();
  const second = { ...env, PORT: "0" };
  const refused = keep(new ProgramRun([process.execPath, "src/main.ts"], second, ROOT));
  expect(await refused.exited).toBe(75);
  const line = await refused.event("store.open_failed");
  expect(line["reason"]).toMatch(/is in use by another server \(process \d+\)/);
  expect(line["hint"]).toContain("stop that server first");
  await killServer();
  env = second;
  await startServer();
}, 20_000);
