import { afterEach, describe, expect, test } from "bun:test";
import type { Log, LogFields } from "../../../src/system/deps.ts";
import type { WorkerSettings } from "../../../src/worker/args.ts";
import { FORM_TYPE, formBytes, sound } from "../../support/audio-form.ts";
import { eventually } from "../../support/eventually.ts";
import { CLIENT_KEY, TestServer } from "../../support/test-server.ts";
import { startTestWorker, type TestWorkerOptions } from "../../support/test-worker.ts";

// A server, a worker of this program, and a model server that answers in the forms of real ones.

const running: { stop(): unknown }[] = [];
afterEach(async () => {
  for (const each of running.splice(0).reverse()) await each.stop();
});

/** A model server with fixed answers to GET. It keeps what is posted, and answers with the model that was named. */
class ModelServer {
  readonly url: string;
  readonly posted: { readonly path: string; readonly model: unknown; readonly length: string | null }[] = [];
  /** How often its list was asked for. */
  lists = 0;
  readonly #server: ReturnType<typeof Bun.serve>;

  constructor(answers: () => Readonly<Record<string, unknown>>) {
    this.#server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: async (request) => {
        const { pathname } = new URL(request.url);
        if (request.method === "GET") {
          if (pathname === "/v1/models") this.lists += 1;
          const answer = answers()[pathname];
          if (typeof answer === "number") return Response.json({ error: "no list" }, { status: answer });
          return answer === undefined ? new Response("no", { status: 404 }) : Response.json(answer);
        }
        const status = answers()[`POST ${pathname}`];
        const { model, input } = typeof status === "number" ? {} : await read(request);
        this.posted.push({ path: pathname, model, length: request.headers.get("content-length") });
        if (typeof status === "number") return Response.json({ error: "no" }, { status });
        const data = Array.isArray(input) ? input.map((_, index) => ({ index, embedding: [1] })) : [];
        return Response.json({ object: "list", model, data, usage: {} });
      },
    });
    this.url = `http://127.0.0.1:${this.#server.port}/v1`;
  }

  stop(): Promise<void> {
    return this.#server.stop(true);
  }
}

async function read(request: Request): Promise<Record<string, unknown>> {
  if (request.headers.get("content-type")?.startsWith("multipart/"))
    return Object.fromEntries(await request.formData()) as Record<string, unknown>; // a form's entries are values of any kind
  return (await request.json()) as Record<string, unknown>; // the tests send objects
}

/** Collects warnings. */
class WarnLog implements Log {
  readonly lines: (readonly [event: string, fields: LogFields | undefined])[] = [];

  debug(): void {}

  info(): void {}

  warn(event: string, fields?: LogFields): void {
    this.lines.push([event, fields]);
  }

  error(): void {}

  with(): Log {
    return this;
  }
}

interface Setup {
  readonly server: TestServer;
  readonly backend: ModelServer;
  readonly log: WarnLog;
}

async function start(
  answers: Readonly<Record<string, unknown>> | (() => Readonly<Record<string, unknown>>),
  settings: Partial<WorkerSettings> = {},
  options: TestWorkerOptions = {},
): Promise<Setup> {
  const server = new TestServer({ plugins: ["llm", "asr"], queueTimeoutMs: 500 });
  const backend = new ModelServer(typeof answers === "function" ? () => answers() : () => answers);
  const log = new WarnLog();
  const all = { server: server.url, clientKeys: [CLIENT_KEY], backend: backend.url, id: "box", drainTimeoutMs: 0 };
  const worker = startTestWorker({ ...all, ...settings }, { log, ...options });
  running.push(server, backend, worker);
  await worker.registered;
  return { server, backend, log };
}

const idsOf = async ({ server }: Setup): Promise<readonly string[]> => {
  const { data } = (await (await server.fetch("/v1/models")).json()) as { data: { id: string }[] }; // OpenAI's list
  return data.map(({ id }) => id);
};

/** Ollama's answers, as its source of August 2026 writes them. */
const OLLAMA = {
  "/v1/models": {
    object: "list",
    data: [
      { id: "llama3.2:latest", object: "model", created: 1, owned_by: "library" },
      { id: "bge-m3:latest", object: "model", created: 1, owned_by: "library" },
    ],
  },
  "/api/version": { version: "0.24.0" },
  "/api/tags": {
    models: [
      {
        name: "llama3.2:latest",
        model: "llama3.2:latest",
        details: { family: "llama", context_length: 131_072 },
        capabilities: ["completion", "tools", "vision"],
      },
      { name: "bge-m3:latest", model: "bge-m3:latest", details: { context_length: 8192 }, capabilities: ["embedding"] },
    ],
  },
  "/api/ps": { models: [{ name: "llama3.2:latest", model: "llama3.2:latest", context_length: 4096 }] },
};

describe("a worker of Ollama", () => {
  test("serves names without a tag, as Ollama does, for chat and embeddings", async () => {
    const setup = await start(OLLAMA);
    for (const model of ["llama3.2", "library/llama3.2", "llama3.2:latest"])
      expect((await setup.server.chat(model)).status).toBe(200);
    const embedded = await setup.server.post("/v1/embeddings", { model: "bge-m3", input: ["a", "b"] });
    expect(embedded.status).toBe(200);
    expect(setup.backend.posted.map(({ model }) => model)).toEqual([
      "llama3.2:latest",
      "llama3.2:latest",
      "llama3.2:latest",
      "bge-m3:latest",
    ]);
  });

  test("tells the list of models what they are for, and their context", async () => {
    const { server } = await start(OLLAMA);
    const { data } = (await (await server.fetch("/v1/models")).json()) as { data: unknown[] }; // OpenAI's list
    expect(data).toEqual([
      {
        id: "bge-m3:latest",
        object: "model",
        created: expect.any(Number),
        owned_by: "moorage",
        type: "embedding",
        max_context_length: 8192,
        architecture: { input_modalities: ["text"] },
        status: { value: "unloaded" },
      },
      {
        id: "llama3.2:latest",
        object: "model",
        created: expect.any(Number),
        owned_by: "moorage",
        type: "chat",
        context_length: 4096,
        max_model_len: 4096,
        max_context_length: 131_072,
        architecture: { input_modalities: ["text", "image"] },
        status: { value: "loaded" },
      },
    ]);
    const { models } = await server.state();
    expect(models).toContainEqual(
      expect.objectContaining({ name: "llama3.2:latest", type: "chat", context_length: 4096 }),
    );
  });
});

test("a change in what the backend says of its models reaches the list", async () => {
  let size = 8192;
  const list = () => ({ "/v1/models": { data: [{ id: "m", owned_by: "vllm", max_model_len: size }] } });
  const { server } = await start(list, { watchIntervalMs: 20 });
  const sizeNow = async (): Promise<unknown> => {
    const card = (await (await server.fetch("/v1/models/m")).json()) as { context_length?: number }; // a model of the list
    return card.context_length;
  };
  expect(await sizeNow()).toBe(8192);
  size = 4096;
  await eventually(async () => (await sizeNow()) === 4096, "the new size");
});

describe("a renamed model", () => {
  const RENAMED = { renames: [{ shown: "gpt-4o", backend: "llama3.2" }] };

  test("is listed and used under its new name, and its backend gets its own", async () => {
    const setup = await start(OLLAMA, {
      ...RENAMED,
      renames: [...RENAMED.renames, { shown: "ada", backend: "bge-m3" }],
    });
    expect(await idsOf(setup)).toEqual(["ada", "gpt-4o"]);
    for (const path of [
      "/v1/chat/completions",
      "/v1/responses",
      "/v1/messages",
      "/v1/rerank",
      "/api/llm/id/box/v1/completions",
    ]) {
      const response = await setup.server.post(path, { model: "gpt-4o", input: "hi" });
      expect([response.status, response.headers.get("x-moorage-model")]).toEqual([200, null]);
      // The answer's own bytes are not changed.
      expect(await response.json()).toMatchObject({ model: "llama3.2:latest" });
    }
    const embedded = await setup.server.post("/v1/embeddings", { model: "ada", input: ["a", "b", "c"] });
    expect(embedded.status).toBe(200);
    expect(new Set(setup.backend.posted.map(({ model }) => model))).toEqual(
      new Set(["llama3.2:latest", "bge-m3:latest"]),
    );
    expect((await setup.server.chat("llama3.2")).status).toBe(404);
    expect(await (await setup.server.fetch("/v1/models/gpt-4o")).json()).toMatchObject({
      type: "chat",
      context_length: 4096,
    });
  });

  test("gets audio forms with its own name, and the right length", async () => {
    const list = {
      "/v1/models": { data: [{ id: "Systran/faster-whisper-small", task: "automatic-speech-recognition" }] },
    };
    const renames = [{ shown: "whisper-1", backend: "Systran/faster-whisper-small" }];
    const { server, backend } = await start(list, { kinds: ["asr"], renames });
    const fields = (value: string) => [{ name: "model", value }, sound(100_000)];
    const response = await server.fetch("/v1/audio/transcriptions", {
      method: "POST",
      body: formBytes(fields("whisper-1")),
      headers: { "content-type": FORM_TYPE },
    });
    expect(response.status).toBe(200);
    expect(backend.posted).toEqual([
      {
        path: "/v1/audio/transcriptions",
        model: "Systran/faster-whisper-small",
        length: String(formBytes(fields("Systran/faster-whisper-small")).length),
      },
    ]);
    expect(await (await server.fetch("/v1/models/whisper-1")).json()).toMatchObject({ type: "transcription" });
  });
});

describe("a model that the backend does not list is offered if it is named", () => {
  test.each([
    ["is empty", { "/v1/models": { data: [] } }],
    ["fails", { "/v1/models": 500 }],
    ["does not exist", {}],
    ["is something else", { "/v1/models": { models: "many" } }],
  ])("where the list %s", async (_what, answers) => {
    const setup = await start(answers, { models: ["/models/tiny"] });
    expect(await idsOf(setup)).toEqual(["/models/tiny"]);
    expect((await setup.server.chat("/models/tiny")).status).toBe(200);
    expect(setup.backend.posted.map(({ model }) => model)).toEqual(["/models/tiny"]);
  });

  test("with a warning where the list is without it, once", async () => {
    const { log, backend } = await start(OLLAMA, { models: ["llama3.2", "lora-7"], watchIntervalMs: 10 });
    await eventually(() => backend.lists >= 4, "several more looks at the list");
    const warnings = log.lines.filter(([event]) => event === "models.unlisted");
    expect(warnings.map(([, fields]) => fields?.["models"])).toEqual(["lora-7"]);
  });

  test("and not while the backend is starting", async () => {
    const setup = await start({ "/v1/models": 503 }, { models: ["m"] });
    expect(await idsOf(setup)).toEqual([]);
    expect((await setup.server.state()).workers[0]).toMatchObject({ status: "not_ready" });
  });
});

describe("a worker of llama.cpp", () => {
  /** Its answers, as b11549 gives them. The list says "completion" whatever the server was started for. */
  const llama = (posts: Readonly<Record<string, number>>) => ({
    "/v1/models": {
      models: [{ name: "harbour", capabilities: ["completion"] }],
      data: [
        {
          id: "harbour",
          aliases: ["harbour"],
          owned_by: "llamacpp",
          architecture: { input_modalities: ["text"], output_modalities: ["text"] },
          meta: { n_ctx: 32_768, n_ctx_train: 65_536 },
        },
      ],
    },
    "/props": { build_info: "b11549", total_slots: 2 },
    ...posts,
  });

  test.each([
    ["chat", { "POST /v1/rerank": 501, "POST /v1/embeddings": 501 }],
    ["embedding", { "POST /v1/rerank": 501, "POST /v1/embeddings": 400 }],
    ["rerank", { "POST /v1/rerank": 400, "POST /v1/embeddings": 400 }],
  ])("tells that its model is for %s, and asks only once", async (type, posts) => {
    const { server, backend } = await start(llama(posts), { watchIntervalMs: 10 });
    await eventually(() => backend.lists >= 4, "several more looks at the list");
    expect(await (await server.fetch("/v1/models/harbour")).json()).toMatchObject({
      type,
      context_length: 32_768,
      max_context_length: 65_536,
      architecture: { input_modalities: ["text"], output_modalities: ["text"] },
    });
    expect(backend.posted.length).toBeLessThanOrEqual(2);
  });
});

describe("the slots of a worker", () => {
  const LLAMA = {
    "/v1/models": { data: [{ id: "m", owned_by: "llamacpp", meta: { n_ctx: 4096, n_ctx_train: 32_768 } }] },
    "/props": { build_info: "b11434", total_slots: 6 },
    "POST /v1/rerank": 501,
    "POST /v1/embeddings": 501,
  };

  test.each([
    ["are those that llama.cpp states", LLAMA, {}, 6],
    ["are those that the operator wants", LLAMA, { maxConcurrency: 3 }, 3],
    ["are two where nobody says how many", OLLAMA, {}, 2],
    ["are two where the statement is nonsense", { ...LLAMA, "/props": { total_slots: "many" } }, {}, 2],
  ])("%s", async (_what, answers, settings, slots) => {
    const { server } = await start(answers, { maxConcurrency: undefined, ...settings });
    expect((await server.state()).workers[0]).toMatchObject({ max_concurrency: slots });
  });

  test("follow llama.cpp when it starts again with others", async () => {
    let slots = 1;
    const answers = () => ({ ...LLAMA, "/props": { build_info: "b1", total_slots: slots } });
    const { server } = await start(answers, { maxConcurrency: undefined, watchIntervalMs: 20 });
    slots = 12;
    await eventually(async () => (await server.state()).workers[0]?.["max_concurrency"] === 12, "the new slots");
  });
});

test("the command to try is printed once, when the worker is connected", async () => {
  const printed: string[] = [];
  const { server } = await start(OLLAMA, {}, { print: (text) => printed.push(text) });
  expect(printed.filter((text) => text.startsWith("Try it:"))).toHaveLength(1);

  const backend = new ModelServer(() => OLLAMA);
  const refused: string[] = [];
  const log = new WarnLog();
  const worker = startTestWorker(
    { server: server.url, clientKeys: ["wrong"], backend: backend.url, drainTimeoutMs: 0, watchIntervalMs: 10 },
    { print: (text) => refused.push(text), log },
  );
  running.push(backend, worker);
  await eventually(() => log.lines.filter(([event]) => event === "link.refused").length > 1, "two refusals");
  expect(refused).toEqual([]);
});
