import { afterEach, expect, test } from "bun:test";
import { eventually } from "../../support/eventually.ts";
import { McpServer } from "../../support/mcp-server.ts";
import type { NativeWorker } from "../../support/native-worker.ts";
import { ServerCluster } from "../../support/server-cluster.ts";
import { API_KEY, type TestServer } from "../../support/test-server.ts";

type Row = Readonly<Record<string, string | number | null>>;

const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

function start(): McpServer {
  const server = new McpServer({
    plugins: ["llm", "mcp", "transfer"],
    apiKeys: ["other", API_KEY],
    queueTimeoutMs: 200,
  });
  ends.push(() => server.stop());
  return server;
}

/** Returns usage by day, because a test that runs while an hour ends would see two of them. */
async function rowsOf(server: TestServer, by = "key,model"): Promise<readonly Row[]> {
  const response = await server.fetch(`/api/usage?step=day&by=${by}`);
  expect(response.status).toBe(200);
  return ((await response.json()) as { rows: readonly Row[] }).rows; // held by the assertions
}

/** Answers every request of a worker, each input of one for embeddings with a vector. */
async function serve(worker: NativeWorker, usage: object): Promise<void> {
  for (;;) {
    const frame = await worker.request().catch(() => undefined);
    if (!frame) return;
    const inputs: unknown[] = JSON.parse(Buffer.from(frame.body).toString()).input ?? [];
    const data = inputs.map((_, index) => ({ object: "embedding", index, embedding: [1] }));
    worker.answerJson(frame.id, { object: "list", data, model: "m", usage });
  }
}

const USAGE = { prompt_tokens: 10, completion_tokens: 3, prompt_tokens_details: { cached_tokens: 4 } };

test("what requests used is there by key and model as soon as they have ended", async () => {
  const server = start();
  void serve(await server.worker({ models: ["m", "n"] }), USAGE);
  for (const model of ["m", "m", "n"]) expect((await server.chat(model)).status).toBe(200);
  await server.chat("m", {}, { headers: { authorization: "Bearer other" } });
  const rows = await rowsOf(server);
  const shown = { failures: 0, input_tokens: 10, cached_tokens: 4, output_tokens: 3, audio_seconds: 0, estimated: 0 };
  expect(rows).toMatchObject([
    { key: "api-key:1", key_name: "api-key:1", model: "m", requests: 1, ...shown },
    {
      key: "api-key:2",
      key_name: "api-key:2",
      model: "m",
      requests: 2,
      ...shown,
      input_tokens: 20,
      cached_tokens: 8,
      output_tokens: 6,
    },
    { key: "api-key:2", key_name: "api-key:2", model: "n", requests: 1, ...shown },
  ]);
  expect(await rowsOf(server, "model")).toMatchObject([
    { model: "m", requests: 3 },
    { model: "n", requests: 1 },
  ]);
});

test("a request for embeddings that several workers served counts once, with the tokens of all its parts", async () => {
  const server = start();
  for (let each = 0; each < 2; each += 1)
    void serve(await server.worker({ embedding_batch_size: 2 }), { prompt_tokens: 2 });
  const input = Array.from({ length: 10 }, (_, at) => `t${at}`);
  expect((await server.post("/v1/embeddings", { model: "m", input })).status).toBe(200);
  expect(await rowsOf(server)).toMatchObject([{ model: "m", requests: 1, failures: 0, input_tokens: 10 }]);
});

test("requests that fail are counted, and those to models that no worker has are counted together", async () => {
  const server = start();
  const worker = await server.worker({ models: ["m"] });
  const answer = server.chat("m");
  worker.answerJson((await worker.request()).id, {}, 500);
  expect((await answer).status).toBe(500);
  for (const model of ["no-such-1", "no-such-2"]) expect((await server.chat(model)).status).toBe(404);
  expect(await rowsOf(server)).toMatchObject([
    { model: "(unknown)", requests: 2, failures: 2 },
    { model: "m", requests: 1, failures: 1 },
  ]);
});

test("the people behind one key are told apart by a digest, and their sums are those of the key", async () => {
  const server = start();
  void serve(await server.worker(), USAGE);
  for (const user of ["ann", "ann", "ben"]) await server.chat("m", {}, { headers: { "x-openwebui-user-id": user } });
  await server.chat("m");
  const rows = await rowsOf(server, "end_user");
  expect(rows.map(({ requests }) => requests).toSorted()).toEqual([1, 1, 2]);
  expect(rows.filter(({ end_user }) => end_user === null)).toHaveLength(1);
  expect(JSON.stringify(rows)).not.toMatch(/ann|ben/);
  expect(await rowsOf(server)).toMatchObject([{ requests: 4, input_tokens: 40 }]);
});

test("MCP calls and both sides of a transfer count as requests without tokens", async () => {
  const server = start();
  const relay = await server.relay();
  const call = server.rpc({ jsonrpc: "2.0", id: 1, method: "ping" });
  relay.answerJson((await relay.request()).id, {});
  await call;
  const made = await server.fetch("/api/transfer", { method: "POST" });
  const { channel_id } = (await made.json()) as { channel_id: string }; // what the API promises
  const read = server.fetch(`/api/transfer/${channel_id}`, { headers: { authorization: "Bearer other" } });
  await server.fetch(`/api/transfer/${channel_id}`, { method: "PUT", body: "ahoy" });
  await (await read).text();
  const none = { failures: 0, input_tokens: 0, output_tokens: 0 };
  await eventually(async () => (await rowsOf(server)).length === 3, "all are counted");
  expect(await rowsOf(server)).toMatchObject([
    { key: "anonymous", model: "mcp:tools", requests: 1, ...none },
    { key: "api-key:1", model: "transfer", requests: 1, ...none },
    { key: "api-key:2", model: "transfer", requests: 1, ...none },
  ]);
});

test("a job that a peer serves is counted once, whichever server is asked", async () => {
  const cluster = await ServerCluster.start(["a", "b"]);
  ends.push(() => cluster.stop());
  const [entry, owner] = cluster.members.map(({ server }) => server);
  if (!entry || !owner) throw new Error("a server is missing");
  void serve(await owner.worker(), USAGE);
  await cluster.knows("a", "m");
  expect((await entry.chat("m")).status).toBe(200);
  expect(await rowsOf(entry, "model")).toMatchObject([{ model: "m", requests: 1, input_tokens: 10 }]);
  expect(await rowsOf(owner, "model")).toMatchObject([{ model: "m", requests: 1, input_tokens: 10 }]);
});

test("CSV has the same sums as JSON at every grouping", async () => {
  const server = start();
  void serve(await server.worker({ models: ["m", "n"] }), USAGE);
  for (const model of ["m", "n", "n"])
    await server.chat(model, {}, { headers: { "x-openwebui-user-id": `u${model}` } });
  for (const by of ["key", "model", "end_user", "key,model", "key,model,end_user"]) {
    const csv = await server.fetch(`/api/usage?step=day&by=${by}`, { headers: { accept: "text/csv" } });
    expect(csv.headers.get("content-type")).toBe("text/csv; charset=utf-8");
    expect(csv.headers.get("content-disposition")).toBe('attachment; filename="usage-day.csv"');
    const [names = [], ...lines] = (await csv.text())
      .trim()
      .split("\r\n")
      .map((line) => line.split(","));
    const sum = (field: string): number => lines.reduce((total, line) => total + Number(line[names.indexOf(field)]), 0);
    for (const field of ["requests", "input_tokens", "cached_tokens", "output_tokens"]) {
      const rows = await rowsOf(server, by);
      expect(sum(field)).toBe(rows.reduce((total, row) => total + Number(row[field]), 0));
    }
    expect(sum("input_tokens")).toBe(30);
  }
});

test("only operators see usage and ended requests, and a wrong question is refused", async () => {
  const server = start();
  for (const path of ["/api/usage", "/api/state/jobs", "/api/audit"]) {
    expect((await fetch(server.url + path)).status).toBe(401);
    const wrong = await server.fetch(`${path}?step=century&outcome=happy&limit=none`);
    expect(wrong.status).toBe(400);
    expect(await wrong.json()).toMatchObject({ error: { code: "invalid_request" } });
  }
});

test("requests that have ended are listed with caller, worker, reason and tokens, and those that failed by themselves", async () => {
  const server = start();
  const worker = await server.worker({ worker_id: "w" });
  const first = server.chat("m", {}, { headers: { "x-request-id": "first" } });
  worker.answerJson((await worker.request()).id, { usage: USAGE });
  await first;
  await server.chat("gone", {}, { headers: { "x-request-id": "second" } });
  const list = async (search: string): Promise<unknown> => (await server.fetch(`/api/state/jobs${search}`)).json();
  expect(await list("")).toMatchObject({
    data: [
      {
        id: "second",
        caller: "api-key:2",
        model: "(unknown)",
        worker: null,
        outcome: "failed",
        reason: "model_not_found",
      },
      { id: "first", worker: "w", outcome: "completed", reason: null, status: 200, input_tokens: 10, output_tokens: 3 },
    ],
    has_more: false,
  });
  expect(await list("?outcome=failed")).toMatchObject({ data: [{ id: "second" }], has_more: false });
  expect(await list("?limit=1")).toMatchObject({ data: [{ id: "second" }], has_more: true });
});
