import { afterEach, describe, expect, test } from "bun:test";
import { eventually } from "../../support/eventually.ts";
import { ServerCluster } from "../../support/server-cluster.ts";

let cluster: ServerCluster;

afterEach(() => cluster.stop());

describe("a chat whose workers are connected to another server", () => {
  test("is answered with what the worker says, and explained", async () => {
    cluster = await ServerCluster.start(["a", "b"], { explainRouting: true });
    const worker = await cluster.at("b").server.worker({ worker_id: "w" });
    await cluster.knows("a", "m");
    const answered = cluster.at("a").server.chat("m");
    const { id, head, body } = await worker.request();
    expect(Object.keys(head)).not.toContain("peer");
    expect(JSON.parse(Buffer.from(body).toString())).toMatchObject({ model: "m" });
    worker.answerJson(id, { choices: [], usage: { prompt_tokens: 3, completion_tokens: 2 } });
    const response = await answered;
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ usage: { completion_tokens: 2 } });
    expect([response.headers.get("x-moorage-worker"), response.headers.get("x-moorage-server")]).toEqual(["w", "b"]);
    expect(response.headers.get("x-moorage-reason")).toBe("peer");
  });

  test("streams, and is canceled at the worker when its client leaves", async () => {
    cluster = await ServerCluster.start(["a", "b"]);
    const worker = await cluster.at("b").server.worker();
    await cluster.knows("a", "m");
    const gone = new AbortController();
    const answered = cluster.at("a").server.chat("m", { stream: true }, { signal: gone.signal });
    const { id } = await worker.request();
    worker.head(id, 200, [["content-type", "text/event-stream"]], "data: 1\n\n");
    const reader = (await answered).body?.getReader();
    expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe("data: 1\n\n");
    worker.data(id, "data: 2\n\n");
    expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe("data: 2\n\n");
    gone.abort();
    await worker.reset();
  });
});

test("a worker's work for another server's clients is counted where the worker is, and the job where the client is", async () => {
  cluster = await ServerCluster.start(["a", "b"]);
  const worker = await cluster.at("b").server.worker({ worker_id: "w" });
  await cluster.knows("a", "m");
  const answered = cluster.at("a").server.chat("m");
  worker.answerJson((await worker.request()).id, {
    choices: [],
    usage: { prompt_tokens: 3, completion_tokens: 2 },
  });
  await (await answered).json();
  const counted = await eventually(async () => {
    const state = await cluster.at("b").server.state();
    return state.workers.find(({ processed_total }) => processed_total === 1);
  });
  expect(counted).toMatchObject({ id: "w", inflight: 0 });
  const [here, there] = [await cluster.at("a").server.state(), await cluster.at("b").server.state()];
  expect(here.server["jobs_completed_total"]).toBe(1);
  expect(there.server["jobs_completed_total"]).toBe(0);
});
