import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { KeyBook } from "../../src/keys/key-book.ts";
import type { KeyEntry } from "../../src/keys/key-entry.ts";
import { createMemoryRecords } from "../../src/keys/key-records.ts";
import type { KeyTerms } from "../../src/keys/key-terms.ts";
import { systemClock } from "../../src/system/clock.ts";
import { eventually } from "../support/eventually.ts";
import { NativeWorker } from "../support/native-worker.ts";
import { ProgramRun } from "../support/program-run.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { API_KEY, CLIENT_KEY, TestServer } from "../support/test-server.ts";
import { startBackend } from "../support/test-worker.ts";

const ROOT = join(import.meta.dir, "../..");
const BY = { by: "admin-key:1" };

const ends: (() => unknown)[] = [];
let book: KeyBook;
let server: TestServer;
let home: string;

beforeEach(() => {
  book = new KeyBook({ records: createMemoryRecords(), clock: systemClock, maxRequests: 1000 });
  const keys = { book, isKept: true, file: undefined };
  server = new TestServer({ plugins: ["llm", "asr", "mcp"] }, {}, undefined, undefined, undefined, keys);
  const directory = temporaryDirectory();
  home = directory.path;
  ends.push(
    () => directory.remove(),
    () => server.stop(),
  );
});
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

function token(terms: Partial<KeyTerms> = {}): string {
  const spec = { kind: "join" as const, terms: { name: "rack", limits: {}, maxUses: 1, ...terms } };
  return book.create(spec, BY).text;
}

function backend(...models: string[]): string {
  const started = startBackend(() => Response.json({ choices: [{ message: { content: "hello" } }] }), { models });
  ends.push(() => started.stop());
  return started.url;
}

/** Starts the worker's program on a machine where nothing is but its home directory. */
function run(...args: string[]): ProgramRun {
  const command = [process.execPath, "src/cli/main.ts", "worker", ...args, "--server", server.url];
  const env = { PATH: process.env["PATH"] ?? "", HOME: home, XDG_STATE_HOME: join(home, "state") };
  const started = new ProgramRun(command, env, ROOT);
  ends.push(() => started.stop());
  return started;
}

const stateFiles = (): readonly string[] => {
  const directory = join(home, "state/moorage");
  return existsSync(directory)
    ? readdirSync(directory).flatMap((name) => (name.endsWith(".json") ? [join(directory, name)] : []))
    : [];
};

/** The key of the only worker that has joined. */
function joined(): KeyEntry {
  const keys = book.list().filter(({ kind }) => kind === "worker");
  const [key] = keys;
  if (!key || keys.length > 1) throw new Error(`${keys.length} workers have joined`);
  return key;
}

const connect = (register: object, path = "/api/llm/connect"): NativeWorker =>
  new NativeWorker({ url: server.url, register: { models: ["m"], ...register }, path });

test("one line joins a worker that has nothing but a token, and a restart needs the token no more", async () => {
  const joinToken = token();
  const url = backend("m");
  const first = run("llm", "--backend", url, "--join", joinToken);
  await first.event("worker.joined");
  await eventually(async () => (await server.chat("m")).status === 200, "the worker serves");
  const key = joined();
  expect(await server.state()).toMatchObject({ workers: [{ id: key.workerId, models: ["m"] }] });
  expect(await first.stop()).toBe(0);

  // With the token, as a service file has it, and without.
  for (const args of [["--join", joinToken], []]) {
    const again = run("llm", "--backend", url, ...args);
    const { worker } = await again.event("link.opened");
    expect(worker).toBe(key.workerId);
    await again.stop();
  }
  expect(joined().id).toBe(key.id);
  expect(joined().lastUsedAt).toBeGreaterThan(0);

  // On another machine, the token is used up.
  for (const file of stateFiles()) rmSync(file);
  const other = run("llm", "--backend", url, "--join", joinToken);
  const { hint } = await other.event("link.refused");
  expect(hint).toContain("ask the operator for another one");
}, 60_000);

test("a worker of several kinds and with MCP servers of its own joins with one use of a token", async () => {
  const servers = join(home, "mcp.json");
  const entry = { url: backend("m") };
  await Bun.write(servers, JSON.stringify({ mcpServers: { notes: entry, files: { ...entry, id: "files" } } }));
  const worker = run("llm", "asr", "mcp", "--backend", backend("m"), "--servers", servers, "--join", token());
  const ids: unknown[] = [];
  for (let count = 0; count < 4; count += 1) ids.push((await worker.event("link.opened"))["worker"]);
  const { workerId, otherIds } = joined();
  expect(ids.sort()).toEqual([workerId, workerId, `${workerId}.notes`, "files"].sort());
  expect(otherIds).toEqual(["files"]);
}, 60_000);

test("a worker whose connection was cut before it got its key joins when it comes back", async () => {
  const [joinToken, proof] = [token(), "a-secret-of-the-worker"];
  const register = { join_token: joinToken, join_proof: proof, worker_id: "gpu" };
  const lost = connect(register);
  const before = String((await lost.registered())["credential"]);
  lost.kill();
  const again = connect(register);
  const credential = String((await again.registered())["credential"]);
  expect(book.findByText(credential)?.id).toBe(book.findByText(before)?.id);
  const other = connect({ join_token: joinToken, join_proof: "another", worker_id: "gpu-2" });
  expect((await other.closed).reason).toBe("join token used up");
  const own = connect({ client_key: credential, worker_id: "gpu" });
  expect(await own.registered()).not.toHaveProperty("credential");
});

test("a credential registers the ids that it is bound to, and no other", async () => {
  const worker = connect({ join_token: token(), worker_id: "gpu" });
  const client_key = String((await worker.registered())["credential"]);
  const other = connect({ client_key, worker_id: "gpu-of-somebody" });
  expect(await other.closed).toEqual({ code: 1008, reason: "id not allowed" });
  const nameless = connect({ client_key });
  expect((await nameless.registered())["worker_id"]).toBe("gpu");
  expect((await connect({ client_key, worker_id: "gpu.2" }).registered())["worker_id"]).toBe("gpu.2");
});

test("a token makes no key that is bound to an id of another key", async () => {
  const other = connect({ join_token: token(), worker_id: "w7" });
  await other.registered();
  const joinToken = token();
  const register = { join_token: joinToken, join_ids: ["w7", "w9"], worker_id: "w9" };
  expect((await connect(register).closed).reason).toStartWith("id in use");
  expect(book.findByText(joinToken)?.uses).toBeUndefined();
  expect(joined().workerId).toBe("w7");
});

test("all sessions that come with one credential have its slots together", async () => {
  const worker = connect({ join_token: token({ maxSlots: 2 }), worker_id: "gpu", max_concurrency: 8 });
  const client_key = String((await worker.registered())["credential"]);
  const second = connect({ client_key, worker_id: "gpu.2", max_concurrency: 8 });
  await second.registered();
  const shown = async (): Promise<unknown> =>
    (await server.state()).workers.map(({ id, max_concurrency, status }) => [id, max_concurrency, status]);
  expect(await shown()).toEqual([
    ["gpu", 2, "idle"],
    ["gpu.2", 0, "not_ready"],
  ]);
  worker.close();
  await eventually(async () => Bun.deepEquals(await shown(), [["gpu.2", 2, "idle"]]), "the second has the slots");
  const { id } = joined();
  book.update(id, { terms: { maxSlots: 1 }, limits: {} });
  expect(await shown()).toEqual([["gpu.2", 1, "idle"]]);
});

test("a worker keeps its id when it trades its client key for a credential", async () => {
  const before = connect({ client_key: CLIENT_KEY, worker_id: "gpu" });
  await before.registered();
  before.close();
  const joinToken = token();
  const stranger = connect({ join_token: joinToken, worker_id: "gpu" });
  expect((await stranger.closed).reason).toStartWith("id in use");
  const worker = connect({ join_token: joinToken, worker_id: "gpu", previous_client_key: CLIENT_KEY });
  expect((await worker.registered())["worker_id"]).toBe("gpu");
});

test("a worker that joins again with its former key ends that key when it shows the new one", async () => {
  const first = connect({ join_token: token(), worker_id: "gpu" });
  const former = String((await first.registered())["credential"]);
  first.close();
  const register = { join_token: token(), join_proof: "a-secret-of-the-worker", worker_id: "gpu" };
  const again = connect({ ...register, previous_client_key: former });
  const client_key = String((await again.registered())["credential"]);
  const formerKey = book.findByText(former);
  expect(book.get(formerKey?.id ?? "")?.revokedAt).toBeUndefined();
  // Another kind of the same worker, whose id still belongs to the former key.
  const other = connect({ client_key, previous_client_key: former, worker_id: "gpu" }, "/api/asr/connect");
  expect((await other.registered())["worker_id"]).toBe("gpu");
  expect(book.get(formerKey?.id ?? "")?.revokedAt).toBeDefined();
  const late = connect({ client_key: former, worker_id: "gpu" });
  expect((await late.closed).reason).toBe("unauthorized");
});

test("the doctor checks a worker's own key beside the connected worker, and uses no token", async () => {
  const joinToken = token({ maxSlots: 1 });
  const worker = run("llm", "--backend", backend("m"), "--join", joinToken);
  await worker.event("worker.joined");
  const unused = token();
  const doctor = async (...args: string[]): Promise<Record<string, { verdict: string; measured: string }>> => {
    const command = [process.execPath, "src/cli/main.ts", "doctor", "--server", server.url, "--idle", "0", "--json"];
    const env = { PATH: process.env["PATH"] ?? "", HOME: home, XDG_STATE_HOME: join(home, "state"), API_KEY };
    const { checks } = (await new Response(Bun.spawn([...command, ...args], { cwd: ROOT, env }).stdout).json()) as {
      checks: { id: string; verdict: string; measured: string }[];
    }; // the form is tested elsewhere
    return Object.fromEntries(checks.map((check) => [check.id, check]));
  };
  const joinedChecks = await doctor();
  for (const id of ["own_key", "client_key", "job"]) expect(joinedChecks[id]?.verdict).toBe("good");
  expect(await server.state()).toMatchObject({ workers: [{ id: joined().workerId, max_concurrency: 1 }] });
  const tokenChecks = await doctor("--join", unused, "--id", "other");
  expect(tokenChecks["own_key"]?.measured).toContain("the join token is whole");
  expect(tokenChecks["client_key"]?.verdict).toBe("skipped");
  expect(book.findByText(unused)?.uses).toBeUndefined();
}, 60_000);

test("a revoked credential ends the worker's session within a second, and the worker says how to join again", async () => {
  const url = backend("m");
  const worker = run("llm", "--backend", url, "--join", token());
  await worker.event("worker.joined");
  await eventually(async () => (await server.state()).workers.length === 1, "the worker is there");
  const revokedAt = performance.now();
  const key = joined();
  book.revoke(key.id, BY);
  const { reason, hint } = await worker.event("link.refused");
  expect(performance.now() - revokedAt).toBeLessThan(1000);
  expect(reason).toBe("client key removed");
  expect(hint).toContain("start again with it as --join");
  expect((await server.state()).workers).toEqual([]);
  await worker.stop();

  const again = run("llm", "--backend", url, "--join", token());
  const { worker: id } = await again.event("link.opened");
  expect(id).toBe(key.workerId);
}, 60_000);

test("a worker serves the models that its token allows, and says which ones it may not serve", async () => {
  const worker = run("llm", "--backend", backend("llama3:8b", "qwen3:8b"), "--join", token({ models: ["llama*"] }));
  expect(await worker.event("models.refused")).toMatchObject({ models: "qwen3:8b", count: 1 });
  await eventually(async () => (await server.chat("llama3:8b")).status === 200, "the allowed model is served");
  const refused = await server.chat("qwen3:8b");
  expect(refused.status).toBe(404);
  expect(await refused.json()).toMatchObject({ error: { code: "model_not_found" } });
  const [shown] = (await server.state()).workers;
  expect(shown).toMatchObject({ models: ["llama3:8b"], refused_models: ["qwen3:8b"] });

  // An operator changes the key while the worker is connected.
  book.update(joined().id, { terms: { models: undefined, maxSlots: 1 }, limits: {} });
  await eventually(async () => (await server.chat("qwen3:8b")).status === 200, "every model is served");
  expect((await server.state()).workers[0]).toMatchObject({ max_concurrency: 1, refused_models: [] });
}, 60_000);

test("a worker that joined for certain tenants serves their keys, and for others its models do not exist", async () => {
  const { text } = book.create({ kind: "join", terms: { name: "rack", limits: {}, tenants: ["research"] } }, BY);
  const worker = connect({ join_token: text, worker_id: "gpu" });
  await worker.registered();
  const keyOf = (tenant: string): string =>
    book.create({ kind: "client", terms: { name: tenant, tenant, limits: {} } }, BY).text;
  const [own, other] = [keyOf("research"), keyOf("sales")];
  const as = (key: string) => ({ headers: { authorization: `Bearer ${key}` } });
  const modelsOf = async (key: string): Promise<readonly string[]> => {
    const { data } = (await (await server.fetch("/v1/models", as(key))).json()) as { data: { id: string }[] }; // the shape is tested elsewhere
    return data.map(({ id }) => id);
  };
  expect([await modelsOf(own), await modelsOf(other)]).toEqual([["m"], []]);
  expect((await server.fetch("/v1/models/m", as(other))).status).toBe(404);
  const named = await server.fetch("/api/llm/id/gpu/v1/models", as(other));
  expect(named.status).toBe(404);
  expect(await named.json()).toMatchObject({ error: { code: "worker_not_found" } });
  expect((await server.fetch("/api/llm/id/gpu/v1/models", as(own))).status).toBe(200);
  const refused = await server.chat("m", {}, as(other));
  expect(refused.status).toBe(404);
  expect(await refused.json()).toMatchObject({ error: { code: "model_not_found" } });
  const answered = server.chat("m", {}, as(own));
  worker.answerJson((await worker.request()).id, { choices: [] });
  expect((await answered).status).toBe(200);
});

test("a key that prefers its own is served by its tenant's worker while that is free", async () => {
  const spec = { kind: "worker" as const, terms: { name: "own", limits: {}, tenants: ["research"] } };
  const open = await server.worker({ worker_id: "open", max_concurrency: 8 });
  const own = connect({ client_key: book.create(spec, BY).text, worker_id: "own", max_concurrency: 1 });
  await own.registered();
  const { text } = book.create(
    { kind: "client", terms: { name: "ada", tenant: "research", prefer: "own", limits: {} } },
    BY,
  );
  const as = { headers: { authorization: `Bearer ${text}` } };
  const first = server.chat("m", {}, as);
  const held = await own.request();
  const second = server.chat("m", {}, as);
  open.answerJson((await open.request()).id, { choices: [] });
  expect((await second).status).toBe(200);
  own.answerJson(held.id, { choices: [] });
  expect((await first).status).toBe(200);
});

test("a key for certain tenants registers no relay, whose callers have none", async () => {
  const { text: client_key } = book.create({ kind: "worker", terms: { name: "w", limits: {}, tenants: ["a"] } }, BY);
  const relay = connect({ client_key, id: "files" }, "/api/mcp/connect");
  expect((await relay.closed).reason).toBe("callers have no tenant");
});

test("neither a token nor a credential is in a log, an answer, or the settings that are printed", async () => {
  const joinToken = token();
  const args = ["llm", "--backend", backend("m"), "--join", joinToken];
  const printed = run(...args, "--print-config");
  const worker = run(...args);
  await worker.event("worker.joined");
  const [file = ""] = stateFiles();
  const credential = /"credential": "([^"]+)"/.exec(readFileSync(file, "utf8"))?.[1] ?? "";
  expect(credential).toMatch(/^mk_/);
  const answers = await Promise.all(["/api/state", "/metrics"].map(async (path) => (await server.fetch(path)).text()));
  book.revoke(joined().id, BY);
  await worker.event("link.refused");
  await worker.stop();
  const texts = [await printed.output, await worker.output, ...answers, JSON.stringify(book.list())];
  for (const secret of [joinToken, credential].map((each) => each.split("_")[2] ?? each))
    expect(texts.map((text) => text.includes(secret))).toEqual(texts.map(() => false));
}, 60_000);

test("when a worker has joined again, all ids of its former key are its own, and free for no other key", async () => {
  const first = connect({ join_token: token(), worker_id: "gpu" });
  const former = String((await first.registered())["credential"]);
  const elsewhere = connect({ client_key: former, worker_id: "gpu" }, "/api/asr/connect");
  await elsewhere.registered();
  for (const link of [first, elsewhere]) link.close();
  const again = { worker_id: "gpu", previous_client_key: former };
  const next = connect({ ...again, join_token: token(), join_proof: "proof-two-0123456789abcdef" });
  const client_key = String((await next.registered())["credential"]);
  next.close();
  await connect({ ...again, client_key }).registered();
  expect(book.findByText(former)?.revokedAt).toBeNumber();

  const stranger = connect({ client_key: CLIENT_KEY, worker_id: "gpu" }, "/api/asr/connect");
  expect((await stranger.closed).reason).toStartWith("id in use");
  await connect({ ...again, client_key }, "/api/asr/connect").registered();
});

test("a worker that has joined again cannot come back with its former key when the new one is revoked", async () => {
  const first = connect({ join_token: token(), worker_id: "gpu" });
  const former = String((await first.registered())["credential"]);
  const joinAgain = { join_token: token(), join_proof: "proof-two-0123456789abcdef", previous_client_key: former };
  const next = connect({ ...joinAgain, worker_id: "gpu" });
  const client_key = String((await next.registered())["credential"]);
  const path = `/api/keys/${book.findByText(client_key)?.id}`;
  const revoked = await server.fetch(path, { method: "DELETE", headers: { authorization: `Bearer ${adminKey()}` } });
  expect(revoked.status).toBe(200);
  await next.closed;
  const back = connect({ client_key, previous_client_key: former, worker_id: "gpu" });
  expect((await back.closed).reason).toStartWith("unauthorized");
});

function adminKey(): string {
  return book.create({ kind: "admin", terms: { name: "admin", limits: {} } }, BY).text;
}
