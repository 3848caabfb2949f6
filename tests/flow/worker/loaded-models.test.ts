import { afterEach, expect, test } from "bun:test";
import type { WorkerSettings } from "../../../src/worker/args.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { startTestWorker } from "../../support/test-worker.ts";
import { WorkerRig } from "../../support/worker-rig.ts";

// A worker of this program before model servers that answer as the sources and documentation of real ones say, as of August
// 2026. Fakes stand for all of them: llama-swap alone was also tried by hand.

let rig = new WorkerRig();
afterEach(async () => {
  await rig.stop();
  rig = new WorkerRig();
});

type Answers = Readonly<Record<string, unknown>>;

/** Starts a worker before a server with these answers to GET; returns the link, and the answers to be changed. */
async function start(answers: Answers, settings: Partial<WorkerSettings> = {}) {
  const now = { answers };
  const clock = new FakeClock();
  const asked: string[] = [];
  const backend = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request) => {
      const { pathname } = new URL(request.url);
      asked.push(pathname);
      if (request.method === "POST") return Response.json({});
      const answer = now.answers[pathname];
      return answer === undefined ? new Response("no", { status: 404 }) : Response.json(answer);
    },
  });
  rig.use({ stop: () => backend.stop(true) });
  const fixed = { server: rig.server.url, backend: `http://127.0.0.1:${backend.port}`, drainTimeoutMs: 0 };
  rig.use(startTestWorker({ ...fixed, watchIntervalMs: 3_600_000, ...settings }, { clock }));
  const link = await rig.server.worker();
  return { link, now, clock, asked };
}

const list = (owned_by: string | undefined, ...ids: readonly (string | object)[]) => ({
  object: "list",
  data: ids.map((id) => ({ object: "model", owned_by, ...(typeof id === "string" ? { id } : id) })),
});

const OLLAMA = {
  "/v1/models": list("library", "llama3.2:latest", "qwen3:8b"),
  "/api/version": { version: "0.24.0" },
  "/api/tags": { models: [{ name: "llama3.2:latest" }, { name: "qwen3:8b" }] },
  "/api/ps": { models: [{ name: "qwen3:8b", model: "qwen3:8b", expires_at: "2026-08-22T01:48:22Z" }] },
};

test.each<[string, Answers, readonly string[] | undefined]>([
  ["Ollama", OLLAMA, ["qwen3:8b"]],
  ["an Ollama that does not tell", { ...OLLAMA, "/api/ps": undefined }, undefined],
  [
    "llama-swap",
    {
      "/v1/models": list(
        "llama-swap",
        { id: "one", status: { value: "loaded" } },
        { id: "two", status: { value: "unloaded" } },
        { id: "uno", status: { value: "loaded" }, meta: { llamaswap: { type: "alias", modelID: "one" } } },
      ),
      "/api/version": { version: "201" },
    },
    ["one", "uno"],
  ],
  [
    "an older llama-swap",
    {
      "/v1/models": list("llama-swap", "one", "two", "three"),
      "/running": {
        running: [
          { model: "one", state: "ready" },
          { model: "two", state: "stopping" },
          { model: "three", state: "starting" },
        ],
      },
    },
    ["one", "three"],
  ],
  [
    "LM Studio",
    {
      "/v1/models": list("organization_owner", "a", "b"),
      "/api/v0/models": {
        object: "list",
        data: [
          { id: "a", state: "not-loaded" },
          { id: "b", state: "loaded" },
        ],
      },
    },
    ["b"],
  ],
  [
    "llama.cpp as a router",
    {
      "/v1/models": list(
        "llamacpp",
        { id: "a", status: { value: "unloaded" } },
        { id: "b", status: { value: "loading" } },
        { id: "c", status: { value: "loaded" } },
        { id: "d", status: { value: "sleeping" } },
      ),
      "/props": { build_info: "b9000" },
    },
    ["b", "c"],
  ],
  [
    "llama.cpp with one model",
    { "/v1/models": list("llamacpp", "a"), "/props": { build_info: "b9000", total_slots: 4 } },
    ["a"],
  ],
  [
    "llama.cpp whose model sleeps",
    { "/v1/models": list("llamacpp", "a"), "/props": { build_info: "b9000", total_slots: 4, is_sleeping: true } },
    [],
  ],
  ["vLLM", { "/v1/models": list("vllm", "a", "lora"), "/version": { version: "0.19.0" } }, ["a", "lora"]],
  ["SGLang", { "/v1/models": list("sglang", "a") }, ["a"]],
  [
    "LocalAI",
    { "/v1/models": list(undefined, "a", "b"), "/system": { backends: [], loaded_models: [{ id: "b" }] } },
    ["b"],
  ],
  ["a server that does not tell", { "/v1/models": list("someone", "a") }, undefined],
])("a worker of %s registers with the models that are loaded", async (_name, answers, loaded) => {
  const { link } = await start(answers);
  const message = await link.register();
  expect(message["loaded"]).toEqual(loaded);
});

test("a worker tells loaded models under the names that it offers them by", async () => {
  const renames = [{ shown: "gpt-4o", backend: "qwen3:8b" }];
  const { link } = await start(OLLAMA, { renames });
  expect(await link.register()).toMatchObject({ models: ["gpt-4o", "llama3.2:latest"], loaded: ["gpt-4o"] });
});

test("a job that changes what is loaded is followed by one message of it, and idle time by no question", async () => {
  const { link, now, clock, asked } = await start(OLLAMA);
  asked.length = 0;
  link.open({ method: "POST", path: "/chat/completions" }, "{}");
  await link.response();
  now.answers = { ...OLLAMA, "/api/ps": { models: [{ name: "llama3.2:latest" }, { name: "never-listed" }] } };
  /** Moves the clock, and gives each question time to be answered. */
  const pass = async (seconds: number): Promise<void> => {
    for (let second = 0; second < seconds; second += 1) {
      clock.advance(1000);
      await Bun.sleep(3);
    }
  };
  await pass(1);
  const update = await link.texts.takeUntil((text) => text["type"] === "models_update", "an update");
  expect(update).toMatchObject({ models: ["llama3.2:latest", "qwen3:8b"], loaded: ["llama3.2:latest"] });
  await pass(30);
  expect(asked.slice(0, 3)).toEqual(["/v1/chat/completions", "/api/ps", "/api/ps"]);
  const count = asked.length;
  await pass(60);
  expect(asked.length).toBe(count);
  const later = await Promise.all(Array.from({ length: link.texts.waiting }, () => link.texts.take()));
  expect(later.filter(({ type }) => type !== "heartbeat")).toEqual([]);
});

test("a backend that goes down has no loaded models that are known", async () => {
  const { link, now, clock } = await start(OLLAMA, { watchIntervalMs: 30_000 });
  // An answered job shows that the link is open, so that no deadline of it passes.
  link.open({ method: "POST", path: "/chat/completions" }, "{}");
  await link.response();
  now.answers = {};
  clock.advance(30_000);
  const down = await link.texts.takeUntil((text) => text["status"] === "not_ready", "the backend is down");
  expect(down["models"]).toEqual(["llama3.2:latest", "qwen3:8b"]);
  expect(down).not.toHaveProperty("loaded");
});
