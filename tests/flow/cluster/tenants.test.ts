import { afterEach, beforeEach, expect, test } from "bun:test";
import { KeyBook } from "../../../src/keys/key-book.ts";
import { createMemoryRecords } from "../../../src/keys/key-records.ts";
import { systemClock } from "../../../src/system/clock.ts";
import { eventually } from "../../support/eventually.ts";
import { NativeWorker } from "../../support/native-worker.ts";
import { ServerCluster } from "../../support/server-cluster.ts";

const BY = { by: "admin-key:1" };

let cluster: ServerCluster;
let book: KeyBook;

beforeEach(async () => {
  book = new KeyBook({ records: createMemoryRecords(), clock: systemClock, maxRequests: 1000 });
  cluster = await ServerCluster.start(["a", "b"], {}, {}, { book, isKept: true, file: undefined });
});
afterEach(() => cluster.stop());

function keyOf(tenant: string, prefer?: "own"): RequestInit {
  const terms = { name: tenant, tenant, limits: {}, ...(prefer && { prefer }) };
  const { text } = book.create({ kind: "client", terms }, BY);
  return { headers: { authorization: `Bearer ${text}` } };
}

/** Connects a worker to a server that serves only the tenant `research`. */
function ownWorker(server: string, slots: number): Promise<NativeWorker> {
  const spec = { kind: "worker" as const, terms: { name: "own", limits: {}, tenants: ["research"] } };
  const register = { client_key: book.create(spec, BY).text, worker_id: "own", models: ["m"], max_concurrency: slots };
  return NativeWorker.connect({ url: cluster.at(server).server.url, register });
}

const chat = (server: string, as: RequestInit): Promise<Response> => cluster.at(server).server.chat("m", {}, as);

/** Resolves when the keys of a tenant see the model at a server. */
async function seen(server: string, as: RequestInit): Promise<void> {
  await eventually(async () => (await cluster.at(server).server.fetch("/v1/models/m", as)).status === 200, "the model");
}

test("a worker of another server serves the tenants of its key, and for others its models do not exist", async () => {
  const worker = await ownWorker("b", 2);
  const [own, other] = [keyOf("research"), keyOf("sales")];
  await seen("a", own);
  const refused = await chat("a", other);
  expect(refused.status).toBe(404);
  expect(await refused.json()).toMatchObject({ error: { code: "model_not_found" } });
  const answered = chat("a", own);
  worker.answerJson((await worker.request()).id, { choices: [] });
  expect((await answered).status).toBe(200);
});

test("a slot that becomes free at another server goes to a waiting request of its tenant, whichever request came first", async () => {
  const open = await cluster.at("b").server.worker({ worker_id: "open", max_concurrency: 1 });
  const own = await ownWorker("b", 1);
  const [research, sales] = [keyOf("research", "own"), keyOf("sales")];
  await seen("a", research);
  const running = [chat("b", research), chat("b", sales)];
  const [held, heldOpen] = [await own.request(), await open.request()];
  const waiting = [chat("a", sales), chat("a", research)];
  await eventually(async () => (await cluster.at("a").server.state()).server["scheduler_queue_len"] === 2, "both wait");
  own.answerJson(held.id, { choices: [] });
  own.answerJson((await own.request()).id, { choices: [] });
  expect((await waiting[1])?.status).toBe(200);
  expect((await cluster.at("a").server.state()).server["scheduler_queue_len"]).toBe(1);
  open.answerJson(heldOpen.id, { choices: [] });
  open.answerJson((await open.request()).id, { choices: [] });
  expect((await waiting[0])?.status).toBe(200);
  expect((await Promise.all(running)).map(({ status }) => status)).toEqual([200, 200]);
});

test("a key that prefers its own goes to its tenant's worker at another server before one that is nearer", async () => {
  const open = await cluster.at("a").server.worker({ worker_id: "open", max_concurrency: 4 });
  const own = await ownWorker("b", 1);
  const research = keyOf("research", "own");
  await eventually(async () => {
    const listed = await cluster.at("a").server.fetch("/api/llm/id/own/v1/models", research);
    return (await listed.text()).includes('"m"');
  }, "the worker of the tenant");
  const first = chat("a", research);
  const held = await own.request();
  const second = chat("a", research);
  open.answerJson((await open.request()).id, { choices: [] });
  expect((await second).status).toBe(200);
  own.answerJson(held.id, { choices: [] });
  expect((await first).status).toBe(200);
});
