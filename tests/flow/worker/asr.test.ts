import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { systemClock } from "../../../src/system/clock.ts";
import type { Clock } from "../../../src/system/deps.ts";
import type { WorkerSettings } from "../../../src/worker/args.ts";
import { asrKind } from "../../../src/worker/asr.ts";
import { llmKind } from "../../../src/worker/llm.ts";
import { FORM_TYPE, formBytes, MODEL, sound } from "../../support/audio-form.ts";
import { eventually } from "../../support/eventually.ts";
import { ScriptedServer, type ServerLink } from "../../support/scripted-server.ts";
import { startBackend, startTestWorker, type TestWorkerOptions } from "../../support/test-worker.ts";

let server: ScriptedServer;
const running: { stop(): Promise<void> }[] = [];

beforeEach(() => {
  server = new ScriptedServer();
});
afterEach(async () => {
  for (const each of running.splice(0).reverse()) await each.stop();
  await server.stop();
});

/** Starts a worker of kind asr; resolves when it is connected. */
function start(settings: Partial<WorkerSettings>, options: TestWorkerOptions = {}): Promise<ServerLink> {
  running.push(startTestWorker({ kinds: ["asr"], server: server.url, drainTimeoutMs: 0, ...settings }, options));
  return server.worker();
}

function use<T extends { stop(): Promise<void> }>(backend: T): T {
  running.push(backend);
  return backend;
}

/** The kind with other addresses to search. */
const looking = (...urls: string[]) =>
  new Map([["asr", { ...asrKind, places: urls.map((base) => ({ label: "Test server", base })) }]]);

/** The answer of a server that has the audio path to a request without a form. */
const unprocessable = (method: string): Response => new Response("no form", { status: method === "POST" ? 422 : 405 });

/** A model in Ollama's own list. */
const model = (name: string, capabilities: readonly string[]) => ({ name, capabilities });

const FORM = formBytes([MODEL, sound(1000)]);
const HEADERS: readonly (readonly [string, string])[] = [["content-type", FORM_TYPE]];

/** whisper.cpp's server: no list of models, its name in every answer, and OPTIONS only at its audio path. */
class WhisperCpp {
  readonly heard: string[] = [];
  readonly #server: Bun.Server<undefined>;

  constructor(inferencePath = "/inference") {
    const headers = { server: "whisper.cpp", "access-control-allow-origin": "*" };
    this.#server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: async (request) => {
        const { pathname } = new URL(request.url);
        const missing = new Response(`File Not Found (${pathname})`, { status: 404, headers });
        if (request.method === "OPTIONS") return pathname === inferencePath ? new Response(null, { headers }) : missing;
        if (request.method === "GET" && pathname === "/")
          return new Response("<html>Whisper.cpp Server</html>", {
            headers: { ...headers, "content-type": "text/html" },
          });
        if (request.method === "GET" && pathname === "/health") return Response.json({ status: "ok" }, { headers });
        if (request.method !== "POST" || pathname !== inferencePath) return missing;
        this.heard.push(pathname);
        const form = await request.formData();
        const size = form.get("file") instanceof File ? (form.get("file") as File).size : 0; // Just asked.
        return Response.json({ text: `${size} bytes of ${form.get("model")}` }, { headers });
      },
    });
  }
  get origin(): string {
    return `http://127.0.0.1:${this.#server.port}`;
  }
  async stop(): Promise<void> {
    await this.#server.stop(true);
  }
}

describe("a worker of kind asr", () => {
  test("dials the plugin's route, registers the backend's models, and forwards a form byte for byte", async () => {
    let got: Uint8Array | undefined;
    const backend = startBackend(
      async (request) => {
        got = await request.bytes();
        return Response.json({ path: new URL(request.url).pathname, type: request.headers.get("content-type") });
      },
      { models: ["whisper"] },
    );
    const link = await start({ backend: use(backend).url });
    expect(new URL(link.request.url).pathname).toBe("/api/asr/connect");
    expect(await link.register()).toMatchObject({ models: ["whisper"], max_concurrency: 4 });
    link.open({ path: "/audio/transcriptions", headers: HEADERS }, FORM);
    const { body } = await link.response();
    expect(JSON.parse(Buffer.from(body).toString())).toEqual({ path: "/v1/audio/transcriptions", type: FORM_TYPE });
    expect(Buffer.from(got ?? "").equals(FORM)).toBe(true);
  });

  const listing = Bun.serve.bind(null, {
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request) =>
      request.url.endsWith("/v1/models")
        ? Response.json({
            data: [
              { id: "kokoro", owned_by: "me", task: "text-to-speech" },
              { id: "whisper", owned_by: "me", task: "automatic-speech-recognition" },
              { id: "other", owned_by: "me" },
            ],
          })
        : new Response("no", { status: 404 }),
  });

  test("offers no models that are marked for another task, whereas one of kind llm offers all", async () => {
    const backend = listing();
    running.push({ stop: () => backend.stop(true) });
    const url = `http://127.0.0.1:${backend.port}/v1`;
    expect(await (await start({ backend: url })).register()).toMatchObject({ models: ["whisper", "other"] });
    expect(await (await start({ backend: url, kinds: ["llm"] })).register()).toMatchObject({
      models: ["kokoro", "whisper", "other"],
    });
  });

  test("uses a server at a usual address only if it takes audio at the audio path", async () => {
    const chat = use(startBackend(() => new Response("no", { status: 404 }), { models: ["chat", "whisper-chat"] }));
    const getOnly = use(startBackend(() => new Response("no", { status: 405 }), { models: ["whisper"] }));
    const speech = use(startBackend(({ method }) => unprocessable(method), { models: ["org/whisper-large-v3"] }));
    const link = await start({}, { kinds: looking(chat.url, getOnly.url, speech.url) });
    expect(await link.register()).toMatchObject({ models: ["org/whisper-large-v3"] });
    // The operator's setting is not checked.
    expect(await (await start({ backend: chat.url })).register()).toMatchObject({ models: ["chat", "whisper-chat"] });
  });

  test("says what it looked for if it finds only a server for language models", async () => {
    const chat = use(startBackend(() => new Response("no", { status: 404 }), { models: ["chat"] }));
    const link = await start({}, { kinds: looking(chat.url) });
    const status = await link.status("not_ready");
    expect(status["reason"]).toStartWith("no model server found on this machine; looked for Test server at");
  });

  test("never takes a text model of a server that it found for a transcriber, unless the operator names the server", async () => {
    const text = use(startBackend(({ method }) => unprocessable(method), { models: ["local/tiny"] }));
    const link = await start({}, { kinds: looking(text.url) });
    const status = await link.status("not_ready");
    expect(String(status["reason"])).toContain(
      `model server at ${text.url.replace("/v1", "")} lists no model that transcribes; to use one all the same, name the server with --backend`,
    );
    expect(await (await start({ backend: text.url })).register()).toMatchObject({ models: ["local/tiny"] });
  });

  test.each([
    [
      "Ollama",
      {
        models: [model("gemma", ["completion", "audio"]), model("llama", ["completion"]), model("bge", ["embedding"])],
      },
      ["gemma"],
    ],
    [
      "llama.cpp",
      {
        data: [
          { id: "voxtral", architecture: { input_modalities: ["text", "audio"] } },
          { id: "whisper-chat", architecture: { input_modalities: ["text"] } },
        ],
      },
      ["voxtral"],
    ],
    [
      "a server that says nothing",
      { data: [{ id: "Qwen/Qwen3-ASR-1.7B" }, { id: "qwen3:8b" }, { id: "nova-stt" }] },
      ["Qwen/Qwen3-ASR-1.7B", "nova-stt"],
    ],
  ])("offers the models that %s says can hear, or whose names say so", async (_server, list, models) => {
    const backend = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: ({ url, method }) => (url.endsWith("/v1/models") ? Response.json(list) : unprocessable(method)),
    });
    running.push({ stop: () => backend.stop(true) });
    const link = await start({}, { kinds: looking(`http://127.0.0.1:${backend.port}/v1`) });
    expect(await link.register()).toMatchObject({ models });
  });

  test("does not take another Moorage server on this machine for a model server", async () => {
    const backend = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: ({ method }) =>
        method === "GET" ? Response.json({ data: [{ id: "whisper", owned_by: "moorage" }] }) : unprocessable(method),
    });
    running.push({ stop: () => backend.stop(true) });
    const link = await start({}, { kinds: looking(`http://127.0.0.1:${backend.port}/v1`) });
    await link.status("not_ready");
  });

  test("serves another model server than the other kinds of its process, with a key of its own", async () => {
    const keys: (string | null)[] = [];
    const heard = (request: Request): Response => {
      keys.push(request.headers.get("authorization"));
      return Response.json({});
    };
    const speech = use(startBackend(heard, { models: ["whisper"] }));
    const chat = use(startBackend(heard, { models: ["chat"] }));
    const keyed = { backend: chat.url, backendKey: "chat-key" };
    const link = await start({ ...keyed, asrBackend: speech.url });
    expect(await link.register()).toMatchObject({ models: ["whisper"] });
    link.open({ path: "/audio/transcriptions", headers: HEADERS }, FORM);
    await link.response();
    const other = await start({ ...keyed, asrBackend: speech.url, asrBackendKey: "speech-key" });
    other.open({ path: "/audio/transcriptions", headers: HEADERS }, FORM);
    await other.response();
    // The key of one server is never sent to another.
    expect(keys).toEqual([null, "Bearer speech-key"]);
    expect(await (await start({ ...keyed, asrBackendKey: "x" })).register()).toMatchObject({ models: ["chat"] });
  });

  test("prints a command that posts a file, once it is connected", async () => {
    const printed: string[] = [];
    const whisper = use(new WhisperCpp());
    await start({}, { kinds: looking(whisper.origin), print: (text) => printed.push(text) });
    await eventually(() => printed.length > 1, "the command");
    expect(printed.join("\n")).toContain("whispercpp");
    expect(printed.join("\n")).toContain(
      `${server.url}/v1/audio/transcriptions -F file=@speech.wav -F model=whisper-1`,
    );
  });
});

describe("whisper.cpp's server", () => {
  test("is recognised by its name, offered as whisper-1, and called at its own path", async () => {
    const whisper = use(new WhisperCpp());
    const link = await start({ backend: `${whisper.origin}/v1` });
    expect(await link.register()).toMatchObject({
      models: ["whisper-1"],
      agent_config: { backend_family: "whispercpp" },
    });
    link.open({ path: "/audio/transcriptions?x=1", headers: HEADERS }, FORM);
    const { head, body } = await link.response();
    expect(head.status).toBe(200);
    expect(JSON.parse(Buffer.from(body).toString())).toEqual({ text: "1000 bytes of m" });
    expect(whisper.heard).toEqual(["/inference"]);
  });

  test.each([
    ["/v1/audio/transcriptions", "/v1"],
    ["/v1/audio/transcriptions", ""],
    ["/audio/transcriptions", ""],
    ["/inference", ""],
    ["/whisper/inference", "/whisper"],
    ["/my/own/path", "/my/own/path"],
  ])("that accepts audio at %s is found from the base '%s'", async (path, base) => {
    const whisper = use(new WhisperCpp(path));
    const link = await start({ backend: whisper.origin + base });
    expect(await link.register()).toMatchObject({ models: ["whisper-1"], max_concurrency: 4 });
    link.open({ path: "/audio/transcriptions", headers: HEADERS }, FORM);
    expect((await link.response()).head.status).toBe(200);
    expect(whisper.heard).toEqual([path]);
  });

  test("is offered under the operator's name for it", async () => {
    const whisper = use(new WhisperCpp());
    const link = await start({ backend: whisper.origin, models: ["large-v3"] });
    expect(await link.register()).toMatchObject({ models: ["large-v3"] });
  });

  test("whose path cannot be guessed leaves the worker not ready, with advice", async () => {
    const whisper = use(new WhisperCpp("/my/own/path"));
    const link = await start({ backend: whisper.origin, models: ["large-v3"] });
    const status = await link.status("not_ready");
    expect(status["reason"]).toBe(
      `model server at ${whisper.origin} is whisper.cpp, but accepts audio at none of the usual paths: give its full path with --backend`,
    );
  });

  test("gives the client an error for a request without a path, also during the upload", async () => {
    const whisper = use(new WhisperCpp());
    const link = await start({ backend: whisper.origin });
    for (const end of [true, false]) {
      const id = link.open({ path: "/audio/translations", headers: HEADERS }, FORM, end);
      const frame = await link.response();
      expect([frame.id, frame.end, frame.head.status]).toEqual([id, true, 400]);
      const { error } = JSON.parse(Buffer.from(frame.body).toString());
      expect(error).toMatchObject({ type: "invalid_request_error", param: null, code: "unsupported_path" });
      expect(error.message).toContain("translate=true");
      if (!end) link.data(id, "late");
    }
    link.open({ path: "/load", headers: HEADERS }, FORM);
    expect((await link.response()).head.status).toBe(400);
    expect(whisper.heard).toEqual([]);
  });

  test("is not used by a worker of kind llm", async () => {
    const whisper = use(new WhisperCpp());
    const link = await start({ kinds: ["llm"], backend: whisper.origin });
    expect(String((await link.status("not_ready"))["reason"])).toContain("answers 404");
  });
});

describe("an upload of known length", () => {
  /** Starts a model server that records the bytes on its socket, and answers once `until` has arrived. */
  function startSocket(until: string): { readonly url: string; readonly got: () => string; stop(): Promise<void> } {
    let got = "";
    const list = '{"data":[{"id":"m"}]}';
    const listener = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        data(socket, data) {
          const text = data.toString("latin1");
          if (text.startsWith("GET /v1/models"))
            return void socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${list.length}\r\n\r\n${list}`);
          if (text.startsWith("GET")) return void socket.write("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
          got += text;
          if (got.includes(until)) socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
        },
      },
    });
    return use({
      url: `http://127.0.0.1:${listener.port}/v1`,
      got: () => got,
      stop: async () => listener.stop(true),
    });
  }
  const sized = (...lengths: string[]) => [...HEADERS, ...lengths.map((length) => ["content-length", length] as const)];
  const path = "/audio/transcriptions";

  test("reaches the backend with that length and not in chunks", async () => {
    const backend = startSocket("the end");
    const link = await start({ backend: backend.url });
    const id = link.open({ path, headers: sized("17") }, "beginning ", false);
    link.data(id, "the end", true);
    expect((await link.response()).head.status).toBe(200);
    expect(backend.got()).toMatch(/\r\ncontent-length: 17\r\n/i);
    expect(backend.got()).not.toMatch(/transfer-encoding/i);
    expect(backend.got()).toEndWith("\r\n\r\nbeginning the end");
  });

  test.each([[[]], [["17", "18"]], [["0x11"]], [["-17"]], [["17, 17"]], [["9".repeat(16)]]])(
    "is sent in chunks if its length is %j, which is no plain number",
    async (lengths) => {
      const backend = startSocket("\r\n0\r\n\r\n");
      const link = await start({ backend: backend.url });
      const id = link.open({ path, headers: sized(...lengths) }, "beginning ", false);
      link.data(id, "the end", true);
      expect((await link.response()).head.status).toBe(200);
      expect(backend.got()).toMatch(/\r\ntransfer-encoding: chunked\r\n/i);
      expect(backend.got()).not.toMatch(/content-length/i);
    },
  );

  test.each([
    ["fewer", "18"],
    ["more", "12"],
  ])("that turns out to have %s bytes never looks complete", async (_, length) => {
    const backend = startSocket("nothing ever");
    const link = await start({ backend: backend.url });
    const id = link.open({ path, headers: sized(length) }, "beginning ", false);
    link.data(id, "the end", true);
    expect(await link.frames.takeUntil(({ type }) => type === "reset")).toMatchObject({
      id,
      code: "protocol_error",
      message: "the request's body does not have its declared length",
    });
    expect(backend.got()).not.toContain("beginning the end\r\n0");
    const body = backend.got().split("\r\n\r\n")[1] ?? "";
    expect(body.length).not.toBe(Number(length));
  });
});

describe("a backend's silence", () => {
  /** How long the worker lets a job be silent, by the timers that it sets. */
  async function patienceFor(settings: Partial<WorkerSettings>, timeout_ms?: number): Promise<number | undefined> {
    const waits: number[] = [];
    const clock: Clock = {
      ...systemClock,
      after: (ms, callback) => {
        waits.push(ms);
        return systemClock.after(ms, callback);
      },
    };
    const started = Promise.withResolvers<void>();
    const backend = startBackend(() => {
      started.resolve();
      return new Promise<Response>(() => {});
    });
    const link = await start({ backend: use(backend).url, ...settings }, { clock });
    waits.length = 0;
    link.open({ path: "/x", ...(timeout_ms === undefined ? {} : { timeout_ms }) }, "{}");
    await started.promise;
    return waits[0];
  }
  const MINUTE = 60_000;
  const unset = { requestTimeoutMs: undefined };

  /** By so much the worker is slower than the server, which cancels first and says whose limit it was. */
  const LATER = 10_000;

  test("may last as long as the server allows, for both kinds", async () => {
    expect(await patienceFor({ ...unset, kinds: ["asr"] }, 30 * MINUTE)).toBe(30 * MINUTE + LATER);
    expect(await patienceFor({ ...unset, kinds: ["llm"] }, 30 * MINUTE)).toBe(30 * MINUTE + LATER);
    expect(await patienceFor({ ...unset, kinds: ["llm"] }, 2 * MINUTE)).toBe(2 * MINUTE + LATER);
  });

  test("has a limit even if the server sets none", async () => {
    expect(await patienceFor({ ...unset, kinds: ["asr"] })).toBe(asrKind.silenceMs);
    expect(await patienceFor({ ...unset, kinds: ["llm"] })).toBe(llmKind.silenceMs);
  });

  test("ends at the operator's limit for both kinds, or at the server's if that is shorter", async () => {
    const set = { requestTimeoutMs: 7 * MINUTE };
    expect(await patienceFor({ ...set, kinds: ["asr"] }, 30 * MINUTE)).toBe(7 * MINUTE);
    expect(await patienceFor({ ...set, kinds: ["llm"] }, 30 * MINUTE)).toBe(7 * MINUTE);
    expect(await patienceFor({ ...set, kinds: ["asr"] }, 3 * MINUTE)).toBe(3 * MINUTE + LATER);
  });
});

test("one worker of both kinds serves both with one backend, over one link per kind", async () => {
  const backend = use(startBackend((request) => new Response(new URL(request.url).pathname)));
  running.push(startTestWorker({ kinds: ["llm", "asr"], server: server.url, drainTimeoutMs: 0, backend: backend.url }));
  const routes: string[] = [];
  for (const link of [await server.worker(), await server.worker()]) {
    const { pathname } = new URL(link.request.url);
    routes.push(pathname);
    const path = pathname.includes("asr") ? "/audio/transcriptions" : "/chat/completions";
    link.open({ path }, "{}");
    expect(Buffer.from((await link.response()).body).toString()).toBe(`/v1${path}`);
  }
  expect(routes.sort()).toEqual(["/api/asr/connect", "/api/llm/connect"]);
});
