import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sha256 } from "../../src/auth/keys.ts";
import type { ModelAreaState } from "../../src/models/area-state.ts";
import type { ServerState } from "../../src/state/server-state.ts";
import { eventually } from "../support/eventually.ts";
import { NativeWorker } from "../support/native-worker.ts";
import { ProgramRun } from "../support/program-run.ts";

const ROOT = join(import.meta.dir, "..", "..");
const end = "8f1c22e07a6b4d39b05f6e1d";
const ADMIN = `admin-${end}`;
const WORKER = `worker-${end}`;
const CI = `ci-${end}`;
const CHAT = `chat-${end}`;
const LAB = `lab-${end}`;
const OLD = `old-${end}`;

let folder = "";
let run: ProgramRun | undefined;
let url = "";

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "moorage-keys-"));
});
afterEach(async () => {
  run?.kill();
  await run?.exited;
  run = undefined;
  await rm(folder, { recursive: true, force: true });
});

const path = (): string => join(folder, "keys.yaml");
const write = (text: string): Promise<number> => Bun.write(path(), text);
const hash = (key: string): string => `"sha256:${sha256(key)}"`;

const WORKER_KEY = `  - { name: gpus, kind: worker, key: ${hash(WORKER)} }\n`;
const ALL = `keys:
  - { name: ci, key: ${hash(CI)}, tenant: research, weight: 3, models: ["open*"], class: background }
  - { name: chat, key: file:chat.key, tenant: research, class: background }
  - { name: lab, key: env:LAB_KEY, class: background }
  - { name: old, key: ${hash(OLD)}, expires_at: 2026-01-01T00:00:00Z }
${WORKER_KEY}`;

function program(env: Record<string, string> = {}): ProgramRun {
  const all = { PATH: process.env["PATH"] ?? "", HOME: folder, PORT: "0", KEYS_FILE: path(), ADMIN_KEY: ADMIN };
  run = new ProgramRun(["bun", "src/main.ts"], { ...all, START_GRACE: "0s", LAB_KEY: LAB, ...env }, ROOT);
  return run;
}

async function start(text: string, env: Record<string, string> = {}): Promise<ProgramRun> {
  await Bun.write(join(folder, "chat.key"), `${CHAT}\n`);
  await write(text);
  const started = program(env);
  url = (await started.url()).replace("0.0.0.0", "127.0.0.1");
  return started;
}

const by = (key: string): Record<string, string> => ({ authorization: `Bearer ${key}` });
const get = (route: string, key: string): Promise<Response> => fetch(`${url}${route}`, { headers: by(key) });
const chat = (model: string, key: string): Promise<Response> =>
  fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    headers: { ...by(key), "content-type": "application/json" },
    body: JSON.stringify({ model, messages: [{ role: "user", content: "hello" }] }),
  });
const connect = (register: object = {}): Promise<NativeWorker> =>
  NativeWorker.connect({
    url,
    register: { client_key: WORKER, models: ["open", "secret"], max_concurrency: 4, ...register },
  });

async function errorOf(response: Response): Promise<{ readonly status: number; readonly code: string }> {
  const { error } = (await response.json()) as { error: { code: string } }; // the shape of every error
  return { status: response.status, code: error.code };
}

async function listed(key: string): Promise<readonly string[]> {
  const { data } = (await (await get("/v1/models", key)).json()) as { data: { id: string }[] }; // OpenAI's list
  return data.map(({ id }) => id);
}

interface Envelope {
  readonly server: ServerState;
  readonly plugins: { readonly llm: ModelAreaState };
}

/** The shapes are those of the server's own types, of which this is the copy that travels. */
const envelope = async (): Promise<Envelope> => (await get("/api/state", ADMIN)).json() as Promise<Envelope>;
const problems = async (): Promise<readonly string[]> => (await envelope()).server.problems.map(({ code }) => code);

describe("a server with KEYS_FILE", () => {
  test("lets its keys in, each with its name, tenant, weight, class, models and expiry", async () => {
    const server = await start(ALL);
    const worker = await connect();
    expect([await listed(CI), await listed(CHAT)]).toEqual([["open"], ["open", "secret"]]);
    expect(await errorOf(await chat("secret", CI))).toEqual({ status: 404, code: "model_not_found" });
    expect(await errorOf(await get("/v1/models", OLD))).toEqual({ status: 401, code: "key_expired" });
    expect(await errorOf(await fetch(`${url}/v1/models`))).toEqual({ status: 401, code: "invalid_api_key" });
    // A client's key opens nothing else.
    expect(await errorOf(await get("/api/state", CI))).toEqual({ status: 401, code: "invalid_api_key" });

    const answers = [chat("open", CI), chat("open", CHAT), chat("open", LAB)];
    const requests = [await worker.request(), await worker.request(), await worker.request()];
    const { callers } = (await envelope()).plugins.llm;
    const shares = new Map(callers.map(({ name, fair_share }) => [name, fair_share]));
    // Two tenants have half each; within one of them, the weights 3 and 1 divide it.
    expect(Object.fromEntries(shares)).toEqual({ "file:ci": 0.375, "file:chat": 0.125, "file:lab": 0.5 });
    expect(callers.every((each) => each.class === "background")).toBe(true);
    for (const { id } of requests) worker.answerJson(id, { choices: [] });
    for (const answer of answers) expect((await answer).status).toBe(200);
    expect(await server.stop()).toBe(0);
    const output = await server.output;
    expect(output).toContain('"event":"keys_file.read"');
    for (const name of ["file:ci", "file:chat", "file:lab"]) expect(output).toContain(`"caller":"${name}"`);
    for (const key of [ADMIN, WORKER, CI, CHAT, LAB, OLD]) expect(output).not.toContain(key);
  }, 20_000);

  test("follows changes of the file within two seconds, and ends the sessions of a worker's key that was taken out", async () => {
    const server = await start(ALL);
    const worker = await connect();
    await write(`keys:\n  - { name: chat, key: file:chat.key }\n`);
    expect(await server.event("keys_file.read")).toMatchObject({ keys: 1, changed: 1, removed: 4, added: 0 });
    expect((await get("/v1/models", CHAT)).status).toBe(200);
    expect(await errorOf(await get("/v1/models", CI))).toEqual({ status: 401, code: "invalid_api_key" });
    expect((await worker.closed).code).toBe(1008);
    await expect(connect()).rejects.toThrow();
    expect(await server.stop()).toBe(0);
  }, 20_000);

  test("keeps its keys while the file has mistakes, and says so on the dashboard and in the log without a key", async () => {
    const server = await start(ALL);
    await connect();
    await write(`keys:\n  - { name: ci, key: ${CI} }\n`);
    server.signal("SIGHUP");
    const line = await server.event("keys_file.refused");
    expect(String(line["reason"])).toContain("sha256sum");
    expect(JSON.stringify(line)).not.toContain(CI);
    expect((await get("/v1/models", CI)).status).toBe(200);
    await eventually(async () => (await problems()).includes("keys_file_refused"));
    expect(JSON.stringify(await envelope())).not.toContain(CI);
    await write(ALL);
    server.signal("SIGHUP");
    await eventually(async () => !(await problems()).includes("keys_file_refused"));
    expect(await server.stop()).toBe(0);
  }, 20_000);

  test("is shut to clients although the file is empty, and stays so for operators without an admin key", async () => {
    const server = await start("keys: []\n", { ADMIN_KEY: "" });
    expect(await errorOf(await fetch(`${url}/v1/models`))).toEqual({ status: 401, code: "invalid_api_key" });
    expect(await errorOf(await fetch(`${url}/api/state`))).toEqual({ status: 401, code: "invalid_api_key" });
    expect(await server.event("server.admin_key_not_set")).toMatchObject({
      effect: "nobody may see the dashboard, drain workers or cancel jobs",
    });
    expect(await server.stop()).toBe(0);
  }, 20_000);

  test("does not start with a file that has mistakes, and lists all of them", async () => {
    await write(`keys:\n  - { name: ci, key: ${CI} }\n  - { name: lab }\n`);
    const server = program();
    expect(await server.exited).toBe(78);
    const output = await server.output;
    expect(output).toContain("key 1 ('ci', line 2): 'key' must refer to the key");
    expect(output).toContain("key 2 ('lab', line 3): 'key' is missing");
    expect(output).not.toContain(CI);
  }, 20_000);

  test("goes on with listed keys beside those of the file", async () => {
    const API = `api-${end}`;
    const server = await start(ALL, { API_KEY: API });
    expect([(await get("/v1/models", API)).status, (await get("/v1/models", CHAT)).status]).toEqual([200, 200]);
    expect(await server.stop()).toBe(0);
  }, 20_000);
});
