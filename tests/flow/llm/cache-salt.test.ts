import { afterEach, beforeEach, expect, test } from "bun:test";
import { createCaller } from "../../../src/auth/caller.ts";
import { configuredKeys, type KeyRecord, type KeySources, sha256 } from "../../../src/auth/keys.ts";
import type { Config } from "../../support/default-config.ts";
import { TestServer } from "../../support/test-server.ts";

/** The configuration's keys, which are of the default tenant, and one key for each of two tenants. */
function keysOfTenants(config: Config): KeySources {
  const configured = configuredKeys(config);
  const records = new Map<string, KeyRecord>();
  for (const tenant of ["red", "blue"])
    records.set(sha256(`key-of-${tenant}`), { ...createCaller(tenant), tenant, owner: tenant });
  const find = (hash: string): KeyRecord | undefined => records.get(hash) ?? configured.api.find(hash);
  return { ...configured, api: { isEmpty: false, find, hasOwner: () => false } };
}

let server: TestServer;
beforeEach(() => {
  server = new TestServer({}, {}, undefined, keysOfTenants);
});
afterEach(() => server.stop());

const VLLM = { backend_family: "vllm", backend_version: "0.19.0" };
const by = (tenant: string): RequestInit => ({ headers: { authorization: `Bearer key-of-${tenant}` } });

/** Sends a request, and returns the body that the worker got. */
async function received(send: Promise<Response>, worker: Awaited<ReturnType<TestServer["worker"]>>): Promise<string> {
  const { id, body } = await worker.request();
  worker.answerJson(id, { object: "list", data: [{ index: 0, embedding: [1] }] });
  expect((await send).status).toBe(200);
  return Buffer.from(body).toString();
}

test("vLLM gets a salt for each tenant, and the requests of the default tenant unchanged", async () => {
  const worker = await server.worker({ agent_config: VLLM });
  const ask = (init?: RequestInit): Promise<string> => received(server.chat("m", {}, init), worker);
  expect(await ask()).toBe(JSON.stringify({ model: "m", messages: [{ role: "user", content: "hello" }] }));
  const [red, blue] = [JSON.parse(await ask(by("red"))), JSON.parse(await ask(by("blue")))];
  expect(red.cache_salt).toMatch(/^[\w-]{43}$/);
  expect(blue.cache_salt).toMatch(/^[\w-]{43}$/);
  expect(red.cache_salt).not.toBe(blue.cache_salt);
  expect(red.messages).toEqual([{ role: "user", content: "hello" }]);
});

test("a stream whose usage is asked for, and a request for embeddings, are salted too", async () => {
  const worker = await server.worker({ agent_config: VLLM });
  const asked = server.chat("m", { stream: true }, by("red"));
  const { id, body, head } = await worker.request();
  const text = Buffer.from(body).toString();
  const { at, end, text: change } = head.metered ?? { at: 0, end: 0, text: "" };
  const changed = JSON.parse(text.slice(0, at) + change + text.slice(end));
  expect(changed).toMatchObject({ model: "m", stream: true, stream_options: { include_usage: true } });
  expect(changed.cache_salt).toMatch(/^[\w-]{43}$/);
  worker.answerJson(id, {});
  await (await asked).text();
  const embedding = server.post("/v1/embeddings", { model: "m", input: ["x"] }, by("red"));
  expect(JSON.parse(await received(embedding, worker)).cache_salt).toBe(changed.cache_salt);
});

test("a worker of another model server gets every tenant's requests unchanged", async () => {
  const worker = await server.worker({ agent_config: { backend_family: "llamacpp", backend_version: "b9000" } });
  const body = await received(server.chat("m", { cache_salt: "own" }, by("red")), worker);
  expect(JSON.parse(body).cache_salt).toBe("own");
});
