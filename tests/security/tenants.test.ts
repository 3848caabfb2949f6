import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { KeyBook } from "../../src/keys/key-book.ts";
import { createMemoryRecords } from "../../src/keys/key-records.ts";
import { systemClock } from "../../src/system/clock.ts";
import { eventually } from "../support/eventually.ts";
import { NativeWorker } from "../support/native-worker.ts";
import { ServerCluster } from "../support/server-cluster.ts";

// What a caller can find out about workers that serve other tenants, at their own server and at another one of its cluster.

const BY = { by: "admin-key:1" };
const GRACE_MS = 200;

let cluster: ServerCluster;
let book: KeyBook;

beforeEach(async () => {
  book = new KeyBook({ records: createMemoryRecords(), clock: systemClock, maxRequests: 1000 });
  const overrides = { explainRouting: true, modelGraceMs: GRACE_MS };
  cluster = await ServerCluster.start(["a", "b"], overrides, {}, { book, isKept: true, file: undefined });
});
afterEach(() => cluster.stop());

function keyOf(tenant: string): RequestInit {
  const { text } = book.create({ kind: "client", terms: { name: tenant, tenant, limits: {} } }, BY);
  return { headers: { authorization: `Bearer ${text}` } };
}

/** Connects a worker of server `b`, which serves only `tenants`, or everybody. */
function connect(id: string, tenants: readonly string[] | undefined, offer: object): Promise<NativeWorker> {
  const terms = { name: id, limits: {}, ...(tenants && { tenants: [...tenants] }) };
  const { text } = book.create({ kind: "worker", terms }, BY);
  const register = { client_key: text, worker_id: id, max_concurrency: 1, ...offer };
  return NativeWorker.connect({ url: cluster.at("b").server.url, register });
}

async function seen(model: string, as: RequestInit): Promise<void> {
  for (const { server } of cluster.members)
    await eventually(async () => (await server.fetch(`/v1/models/${model}`, as)).status === 200, "the model is seen");
}

/** All that an answer says, except its own id and the time. */
async function said(response: Response): Promise<string> {
  const headers = [...response.headers].filter(([name]) => name !== "date" && name !== "x-request-id");
  return JSON.stringify([response.status, headers, await response.text()]);
}

const CHAT = { model: "secret", messages: [{ role: "user", content: "hello" }] };

/** Asks each server all that may have to do with the model `secret` and the worker `own`. */
async function probe(as: RequestInit): Promise<string[]> {
  const answers: string[] = [];
  for (const { server } of cluster.members) {
    for (const base of ["/v1", "/api/llm/id/own/v1"]) {
      for (const path of ["/models", "/models/secret"]) answers.push(await said(await server.fetch(base + path, as)));
      answers.push(await said(await server.post(`${base}/chat/completions`, CHAT, as)));
      answers.push(await said(await server.post(`${base}/embeddings`, { model: "secret", input: "x" }, as)));
      answers.push(await said(await server.post(`${base}/chat/completions`, { ...CHAT, stream: true }, as)));
    }
  }
  return answers;
}

describe("a caller whose tenant a worker does not serve", () => {
  test("gets the same answers while it is there, busy, failing and gone as if it had never been there", async () => {
    const [research, sales] = [keyOf("research"), keyOf("sales")];
    const without = await probe(sales);
    const own = await connect("own", ["research"], { models: ["secret"] });
    await seen("secret", research);
    expect(await probe(sales)).toEqual(without);
    for (let each = 0; each < 6; each += 1) {
      const failing = cluster.at("b").server.chat("secret", {}, research);
      const { id } = await own.request();
      expect(await probe(sales)).toEqual(without);
      own.answerJson(id, {}, 500);
      await failing;
    }
    expect(await probe(sales)).toEqual(without);
    own.socket.close();
    await own.closed;
    expect(await probe(sales)).toEqual(without);
    await Bun.sleep(2 * GRACE_MS);
    expect(await probe(sales)).toEqual(without);
  }, 60_000);

  test("learns of a model what the workers say that serve it, and why one of these was chosen", async () => {
    const [research, sales] = [keyOf("research"), keyOf("sales")];
    const info = { id: "secret", type: "chat", context_length: 8192, status: "unloaded" };
    const open = await connect("open", undefined, { models: ["secret"], model_info: [info] });
    await seen("secret", sales);
    const cards = async (as: RequestInit): Promise<readonly unknown[]> =>
      Promise.all(
        cluster.members.map(async ({ server }) => {
          const { created: _, ...card } = (await (await server.fetch("/v1/models/secret", as)).json()) as Record<
            string,
            unknown
          >;
          return card;
        }),
      );
    const reason = async (): Promise<string | null> => {
      const response = cluster.at("b").server.chat("secret", {}, sales);
      open.answerJson((await open.request()).id, {});
      return (await response).headers.get("x-moorage-reason");
    };
    const [without, before] = [await cards(sales), await reason()];
    expect(without).toMatchObject([{ context_length: 8192 }, { context_length: 8192 }]);
    const hidden = { ...info, type: "embedding", context_length: 512, status: "loaded" };
    await connect("own", ["research"], { models: ["secret", "other"], model_info: [hidden] });
    await seen("other", research);
    expect(await cards(sales)).toEqual(without);
    expect(await reason()).toBe(before);
    expect((await cards(research))[1]).toMatchObject({ context_length: 512, status: { value: "loaded" } });
  });
});
