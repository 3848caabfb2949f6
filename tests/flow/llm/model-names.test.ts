import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { NativeWorker } from "../../support/native-worker.ts";
import { TestServer } from "../../support/test-server.ts";

let server: TestServer;
let worker: NativeWorker;

beforeEach(async () => {
  server = new TestServer({ queueTimeoutMs: 500 });
  worker = await server.worker({
    worker_id: "ollama",
    models: ["llama3.2:latest", "qwen2.5:7b-instruct-q4_K_M", "qwen2.5:7b-base-q4_K_M", "gpt-oss:120b-cloud"],
    max_concurrency: 8,
  });
});
afterEach(() => server.stop());

interface Card {
  readonly id: string;
}

async function idsIn(path: string): Promise<readonly string[]> {
  const { data } = (await (await server.fetch(path)).json()) as { data: Card[] }; // OpenAI's list
  return data.map(({ id }) => id);
}

/** The names by which clients may ask, and the model that serves them. */
const NAMES = [
  ["llama3.2", "llama3.2:latest"],
  ["library/llama3.2", "llama3.2:latest"],
  ["qwen2.5:7b", "qwen2.5:7b-instruct-q4_K_M"],
  ["qwen2.5:7b-base", "qwen2.5:7b-base-q4_K_M"],
] as const;

describe.each(NAMES)("a request for '%s' on a server that lists '%s'", (asked, listed) => {
  test.each(["/v1", "/api/llm/v1", "/api/llm/id/ollama/v1"])(
    "at %s gets it under its own name, and the response says so",
    async (base) => {
      const body = { model: asked, messages: [{ role: "user", content: asked }] };
      const answer = server.post(`${base}/chat/completions`, body);
      const { id, body: sent } = await worker.request();
      expect(JSON.parse(Buffer.from(sent).toString())).toEqual({ ...body, model: listed });
      worker.answerJson(id, {});
      const response = await answer;
      expect([response.status, response.headers.get("x-moorage-model")]).toEqual([200, listed]);
      const card = await server.fetch(`${base}/models/${encodeURIComponent(asked)}`);
      expect(await card.json()).toMatchObject({ id: listed, object: "model" });
    },
  );
});

test("a response to a request that used the listed name has no header that names the model, whatever the worker sends", async () => {
  const answer = server.chat("llama3.2:latest");
  const { id } = await worker.request();
  worker.head(id, 200, [["x-moorage-model", "another"]], "{}", true);
  expect((await answer).headers.get("x-moorage-model")).toBeNull();
});

test("a model in Ollama's cloud never stands in for a local one", async () => {
  expect((await server.chat("gpt-oss:120b")).status).toBe(404);
  expect((await server.fetch("/v1/models/gpt-oss:120b")).status).toBe(404);
});

test("the 404 for an unknown model names the same models wherever it is asked for", async () => {
  const chat = (await (await server.chat("nope")).json()) as object;
  const single = (await (await server.fetch("/v1/models/nope")).json()) as object;
  expect(single).toEqual(chat);
  expect(JSON.stringify(single)).toContain("'llama3.2:latest'");
});

test("a list of models is read-only", async () => {
  for (const path of ["/v1/models", "/v1/models/llama3.2", "/api/llm/v1/models", "/api/llm/id/ollama/v1/models"]) {
    const response = await server.post(path, { model: "llama3.2" });
    expect([response.status, response.headers.get("allow")]).toEqual([405, "GET, HEAD, OPTIONS"]);
  }
});

test("a model is listed only while a worker takes requests for it, though requests wait for it longer", async () => {
  const lists = ["/v1/models", "/api/llm/v1/models"];
  const other = await server.worker({ worker_id: "other", models: ["brief"], max_concurrency: 1 });
  for (const path of lists) expect(await idsIn(path)).toContain("brief");

  other.sendText({ type: "status_update", status: "not_ready", max_concurrency: 0 });
  await other.roundTrip();
  for (const path of [...lists, "/api/llm/id/other/v1/models"]) expect(await idsIn(path)).not.toContain("brief");
  expect((await server.fetch("/v1/models/brief")).status).toBe(404);
  expect((await server.chat("brief")).status).toBe(503);

  other.sendText({ type: "status_update", status: "idle", max_concurrency: 1 });
  await other.roundTrip();
  for (const path of lists) expect(await idsIn(path)).toContain("brief");

  other.sendText({ type: "models_update", models: [] });
  await other.roundTrip();
  for (const path of lists) expect(await idsIn(path)).not.toContain("brief");
  expect((await server.chat("brief")).status).toBe(503);
  expect((await server.state()).models).toContainEqual(expect.objectContaining({ name: "brief", workers: 0 }));
});
