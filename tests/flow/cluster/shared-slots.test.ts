import { afterEach, describe, expect, test } from "bun:test";
import { eventually } from "../../support/eventually.ts";
import type { NativeWorker } from "../../support/native-worker.ts";
import { ServerCluster } from "../../support/server-cluster.ts";
import { API_KEY } from "../../support/test-server.ts";

const OTHER_KEY = "another-test-api-key";
const BOTH_KEYS = { apiKeys: [API_KEY, OTHER_KEY] };

let cluster: ServerCluster;

afterEach(() => cluster.stop());

/** Sends a chat that says who sent it. */
function chat(server: string, name: string, key = API_KEY, init: RequestInit = {}): Promise<Response> {
  return cluster.at(server).server.chat("m", { name }, { ...init, headers: { authorization: `Bearer ${key}` } });
}

/** Answers the next request of a worker, and returns who sent it. */
async function serve(worker: NativeWorker): Promise<string> {
  const { id, body } = await worker.request();
  const { name } = JSON.parse(Buffer.from(body).toString()) as { name: string }; // As `chat` has written it.
  worker.answerJson(id, { choices: [], usage: { prompt_tokens: 100, completion_tokens: 100 } });
  return name;
}

/** Resolves when so many jobs wait at a server. */
async function waiting(server: string, count: number): Promise<void> {
  await eventually(async () => (await cluster.at(server).server.state()).server["scheduler_queue_len"] === count);
}

describe("a slot that becomes free", () => {
  test("goes to the key that has had least, though it waits at another server and its request came last", async () => {
    cluster = await ServerCluster.start(["a", "b"], BOTH_KEYS);
    const worker = await cluster.at("b").server.worker({ max_concurrency: 1 });
    await cluster.knows("a", "m");
    const many = [0, 1, 2, 3, 4].map((at) => chat("b", `many ${at}`));
    const first = await worker.request();
    await waiting("b", 4);
    const one = chat("a", "one", OTHER_KEY);
    await waiting("a", 1);
    worker.answerJson(first.id, { choices: [], usage: { prompt_tokens: 100, completion_tokens: 100 } });
    const order: string[] = [];
    for (let each = 0; each < 5; each += 1) order.push(await serve(worker));
    // Without offers it would be the last. The news that it waits may take as long as an answer.
    expect(order.indexOf("one")).toBeLessThanOrEqual(2);
    for (const response of await Promise.all([...many, one])) expect(response.status).toBe(200);
  });

  test("is not lost with a client that waited at another server and has left", async () => {
    cluster = await ServerCluster.start(["a", "b"]);
    const worker = await cluster.at("b").server.worker({ max_concurrency: 1 });
    await cluster.knows("a", "m");
    const running = chat("b", "running");
    const first = await worker.request();
    const gone = new AbortController();
    const left = chat("a", "left", API_KEY, { signal: gone.signal }).catch(() => undefined);
    await waiting("a", 1);
    const next = chat("b", "next");
    await waiting("b", 1);
    gone.abort();
    await left;
    worker.answerJson(first.id, { choices: [] });
    expect(await serve(worker)).toBe("next");
    expect([(await running).status, (await next).status]).toEqual([200, 200]);
  });

  test("goes to the next job here when the server that was offered it stops", async () => {
    cluster = await ServerCluster.start(["a", "b"]);
    const worker = await cluster.at("b").server.worker({ max_concurrency: 1 });
    await cluster.knows("a", "m");
    const running = chat("b", "running");
    const first = await worker.request();
    const lost = chat("a", "lost").catch(() => undefined);
    await waiting("a", 1);
    const next = chat("b", "next");
    await waiting("b", 1);
    cluster.at("a").cluster.links.close("the test cuts it");
    worker.answerJson(first.id, { choices: [] });
    expect(await serve(worker)).toBe("next");
    expect([(await running).status, (await next).status]).toEqual([200, 200]);
    void lost;
  });
});

describe("limits", () => {
  test("on the requests of a key hold over all servers", async () => {
    cluster = await ServerCluster.start(["a", "b", "c"], { maxRequestsPerKey: 6 });
    const worker = await cluster.at("c").server.worker({ max_concurrency: 10 });
    for (const id of ["a", "b"]) await cluster.knows(id, "m");
    const open = ["a", "a", "a", "b", "b", "b"].map((id) => chat(id, "open"));
    const requests = [];
    for (const _ of open) requests.push(await worker.request());
    for (const id of ["a", "b", "c"])
      await eventually(() => cluster.at(id).cluster.limits.requests.countOf("api-key:1") === (id === "c" ? 6 : 3));
    for (const id of ["a", "b", "c"]) expect((await chat(id, "too many")).status).toBe(429);
    for (const { id } of requests) worker.answerJson(id, { choices: [] });
    for (const response of await Promise.all(open)) expect(response.status).toBe(200);
    await eventually(() => cluster.at("c").cluster.limits.requests.countOf("api-key:1") === 0);
    const again = chat("c", "again");
    expect(await serve(worker)).toBe("again");
    expect((await again).status).toBe(200);
  });

  test("on wrong keys of an address hold over all servers, and a right key is let in", async () => {
    cluster = await ServerCluster.start(["a", "b"], { authFailuresPerMinute: 20 });
    const worker = await cluster.at("b").server.worker();
    await cluster.knows("a", "m");
    const statuses: number[] = [];
    const guess = async (id: string): Promise<number> => (await chat(id, "guess", "a-wrong-key")).status;
    for (let each = 0; each < 20; each += 1) statuses.push(await guess(each % 2 === 0 ? "a" : "b"));
    expect(new Set(statuses)).toEqual(new Set([401]));
    // Each server was sent half of the limit. It is asked less often than would make up the other half.
    for (const id of ["a", "b"]) {
      const further: number[] = [];
      while (!further.includes(429) && further.length < 5) {
        further.push(await guess(id));
        await Bun.sleep(50);
      }
      expect(further).toContain(429);
    }
    const right = chat("a", "right");
    expect(await serve(worker)).toBe("right");
    expect((await right).status).toBe(200);
  });
});

describe("a conversation that goes on at another server", () => {
  const bothKnown = (): Promise<boolean> =>
    eventually(
      () =>
        cluster.at("a").cluster.ports.workersOf("llm").serverOf("there") === "b" &&
        cluster.at("b").cluster.ports.workersOf("llm").serverOf("here") === "a",
    );
  const hashesOf = async (id: string): Promise<string | undefined> => {
    const text = await (await fetch(`${cluster.at(id).server.url}/metrics`)).text();
    return /^moorage_prefix_table_entries\{.*\} ([1-9]\d*)$/m.exec(text)?.[1];
  };
  /** Resolves when the second server knows every prompt that the first one has sent to a worker. */
  const told = (): Promise<boolean> =>
    eventually(async () => {
      const [here, there] = [await hashesOf("a"), await hashesOf("b")];
      return here !== undefined && here === there;
    });
  const turn = (text: string): object => ({ role: "user", content: `${text} `.repeat(300) });

  test("is served by the worker that has its prompt, although there is a free one", async () => {
    cluster = await ServerCluster.start(["a", "b"]);
    const here = await cluster.at("a").server.worker({ worker_id: "here", max_concurrency: 4 });
    await cluster.at("b").server.worker({ worker_id: "there", max_concurrency: 4 });
    await bothKnown();
    const messages = [turn("one")];
    const first = cluster.at("a").server.post("/v1/chat/completions", { model: "m", messages });
    await serve(here);
    expect((await first).status).toBe(200);
    await told();
    const second = cluster
      .at("b")
      .server.post("/v1/chat/completions", { model: "m", messages: [...messages, turn("two")] });
    const { id } = await here.request();
    here.answerJson(id, { choices: [] });
    expect((await second).status).toBe(200);
  });

  test("and continues a stored response, is served by the worker that has the response", async () => {
    cluster = await ServerCluster.start(["a", "b"]);
    const here = await cluster.at("a").server.worker({ worker_id: "here", max_concurrency: 4 });
    await cluster.at("b").server.worker({ worker_id: "there", max_concurrency: 4 });
    await bothKnown();
    const first = cluster.at("a").server.post("/v1/responses", { model: "m", input: "one" });
    here.answerJson((await here.request()).id, { id: "resp_1", object: "response" });
    expect((await first).status).toBe(200);
    // What is told of this prompt comes after what is told of the response.
    const after = cluster.at("a").server.post("/v1/chat/completions", { model: "m", messages: [turn("after")] });
    here.answerJson((await here.request()).id, { choices: [] });
    await after;
    await told();
    const second = cluster
      .at("b")
      .server.post("/v1/responses", { model: "m", input: "two", previous_response_id: "resp_1" });
    here.answerJson((await here.request()).id, { id: "resp_2", object: "response" });
    expect(await (await second).json()).toMatchObject({ id: "resp_2" });
  });
});
