import { join } from "node:path";
import {
  SAMPLE_CHAT_MODEL,
  SAMPLE_EMBED_MODEL,
  SAMPLE_TRANSCRIBE_MODEL,
  startSampleBackend,
} from "../../src/demo/sample-backend.ts";
import { KNOWN_PLUGINS } from "../../src/plugins.ts";
import { systemClock } from "../../src/system/clock.ts";
import { decodeFrame } from "../../src/wire/frame.ts";
import type { NativeWorker } from "./native-worker.ts";
import { QUIET_LINK, ScriptedCluster } from "./scripted-cluster.ts";
import { TestServer } from "./test-server.ts";
import { startBackend, startTestWorker } from "./test-worker.ts";

/** A model with two workers, of which one refuses every job. */
const SHAKY_MODEL = "shaky";
/** A model with two workers, whose answers say how much of the prompt came from the cache. */
const WARM_MODEL = "warm";
/** A model whose server answers 500. */
const BROKEN_MODEL = "broken";
const SOUND = join(import.meta.dir, "../../docs/sample.wav");
/** Tries after which a job has certainly met the refusing worker: two idle workers are equally likely to be chosen. */
const MAX_SHAKY_TRIES = 50;

/** Jobs of a model after which its speed on a worker counts as measured. */
const SPEED_JOBS = 5;

/** A server with all plugins and a worker of each kind, to produce metrics. */
export class MonitoredServer {
  readonly server: TestServer;
  readonly #running: readonly { stop(): Promise<void> }[];

  private constructor(server: TestServer, running: readonly { stop(): Promise<void> }[]) {
    this.server = server;
    this.#running = running;
  }

  static async start(): Promise<MonitoredServer> {
    const server = new TestServer(
      {
        plugins: KNOWN_PLUGINS.map(({ id }) => id),
        mcpRejoinTimeoutMs: 0,
        metricsListener: { host: "127.0.0.1", port: 0 },
      },
      {},
      undefined,
      undefined,
      clusterOfTwo(),
    );
    const sample = startSampleBackend({ delayMs: 1 });
    const broken = startBackend(() => new Response("{}", { status: 500 }), { models: [BROKEN_MODEL] });
    const usage = { prompt_tokens: 2, completion_tokens: 1, prompt_tokens_details: { cached_tokens: 1 } };
    const well = startBackend(() => Response.json({ usage }), {
      models: [SHAKY_MODEL],
    });
    const cached = { prompt_tokens: 400, completion_tokens: 1, prompt_tokens_details: { cached_tokens: 300 } };
    const warm = startBackend(() => Response.json({ usage: cached }), { models: [WARM_MODEL] });
    const refusing = await server.worker({ models: [SHAKY_MODEL] });
    refuseAll(refusing);
    const tools = startTools();
    const of = (kind: string, backend: string): ReturnType<typeof startTestWorker> =>
      startTestWorker({ server: server.url, kinds: [kind], backend, drainTimeoutMs: 0 });
    const workers = [
      ...[sample, broken, well, warm, warm].map(({ url }) => of("llm", url)),
      of("asr", sample.url),
      startTestWorker({ server: server.url, kinds: ["mcp"], id: "tools", mcpUrl: tools.url, drainTimeoutMs: 0 }),
    ];
    await Promise.all(workers.map((worker) => worker.registered));
    return new MonitoredServer(server, [...workers, sample, broken, well, warm, tools, server]);
  }

  /** Causes some of everything that is counted: jobs of each plugin, and refusals. */
  async work(): Promise<void> {
    const { server } = this;
    const answers = [
      await server.chat(SAMPLE_CHAT_MODEL, { stream: true, stream_options: { include_usage: true } }),
      await server.chat(SAMPLE_CHAT_MODEL),
      // Its tokens are estimated.
      await server.chat(SAMPLE_CHAT_MODEL, { stream: true }),
      await server.post("/v1/embeddings", { model: SAMPLE_EMBED_MODEL, input: ["ahoy"] }),
      await server.chat(BROKEN_MODEL),
      await server.chat("nobody's"),
      await this.#transcribe(),
      await this.#rpc("tools", { jsonrpc: "2.0", id: 1, method: "initialize", params: {} }),
      await this.#rpc("tools", { jsonrpc: "2.0", id: 2, method: "tools/list" }),
      await this.#rpc("nobody", { jsonrpc: "2.0", id: 3, method: "tools/list" }),
      ...(await this.#transfer()),
      await server.fetch("/v1/models", { headers: { authorization: "Bearer wrong" } }),
    ];
    const statuses = answers.map(({ status }) => status);
    for (const answer of answers) await answer.text();
    const wanted = [200, 200, 200, 200, 500, 404, 200, 200, 200, 503, 200, 200, 401];
    if (!Bun.deepEquals(statuses, wanted)) throw new Error(`answered ${statuses} instead of ${wanted}`);
    await this.#measureSpeed();
    // The second one is expected to find its prompt in the cache of the first one's worker.
    const messages = [{ role: "user", content: "Tell me of the harbour and its buoys. ".repeat(50) }];
    for (let each = 0; each < 2; each += 1) await (await server.chat(WARM_MODEL, { messages })).text();
    await this.#retry();
  }

  /** Sends as many streams as a worker's speed takes to be measured. */
  async #measureSpeed(): Promise<void> {
    for (let each = 0; each < SPEED_JOBS; each += 1) {
      const stream = { stream: true, stream_options: { include_usage: true } };
      await (await this.server.chat(SAMPLE_CHAT_MODEL, stream)).text();
    }
  }

  /** URL of `/metrics`. */
  get metricsUrl(): string {
    return this.server.listening.metricsUrl ?? "";
  }

  scrape(): Promise<string> {
    return fetch(this.metricsUrl).then((answer) => answer.text());
  }

  async stop(): Promise<void> {
    for (const each of this.#running) await each.stop();
  }

  async #retry(): Promise<void> {
    const counted = async (): Promise<string | undefined> =>
      /^moorage_retries_total\{plugin="llm",.*$/m.exec(await this.scrape())?.[0];
    const before = await counted();
    for (let tries = 0; tries < MAX_SHAKY_TRIES; tries += 1) {
      await (await this.server.chat(SHAKY_MODEL)).text();
      if ((await counted()) !== before) return;
    }
    throw new Error("no job was sent to another worker");
  }

  async #transcribe(): Promise<Response> {
    const form = new FormData();
    form.set("model", SAMPLE_TRANSCRIBE_MODEL);
    form.set("file", Bun.file(SOUND));
    return this.server.fetch("/v1/audio/transcriptions", { method: "POST", body: form });
  }

  #rpc(relay: string, message: object): Promise<Response> {
    return fetch(`${this.server.url}/api/mcp/id/${relay}/mcp`, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json, text/event-stream" },
      body: JSON.stringify(message),
    });
  }

  async #transfer(): Promise<readonly Response[]> {
    const made = await this.server.fetch("/api/transfer", { method: "POST" });
    const { channel_id: id } = (await made.json()) as { channel_id: string }; // the API's format
    const path = `/api/transfer/${id}`;
    return Promise.all([this.server.fetch(path), this.server.fetch(path, { method: "PUT", body: "ahoy" })]);
  }
}

/** A cluster of this server and another one that took jobs of it. Clusters with real servers have tests of their own. */
function clusterOfTwo(): ScriptedCluster {
  const cluster = new ScriptedCluster(systemClock);
  cluster.peer("b", { link: { ...QUIET_LINK, bytesIn: 4000, bytesOut: 1000 } });
  const offers = { taken: 2, declined: 1, late: 0, lost: 0 };
  cluster.set({ counts: { jobsOut: 10, jobsIn: 4, refusedOut: 1, refusedIn: 0, offers } });
  return cluster;
}

/** Refuses each job, as a worker does that is about to leave. */
function refuseAll(worker: NativeWorker): void {
  worker.socket.addEventListener("message", ({ data }: MessageEvent<string | ArrayBuffer>) => {
    const frame = typeof data === "string" ? undefined : decodeFrame(new Uint8Array(data));
    if (frame?.type === "request") worker.breakOff(frame.id, "draining");
  });
}

/** Starts an MCP server with sessions, without any more of the protocol. */
function startTools(): { readonly url: string; stop(): Promise<void> } {
  let sessions = 0;
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      if (request.method !== "POST") return new Response(null, { status: 405 });
      const { id, method } = (await request.json()) as { id?: unknown; method: string }; // JSON-RPC's format
      if (id === undefined) return new Response(null, { status: 202 });
      sessions += 1;
      const headers = method === "initialize" ? { "mcp-session-id": `session-${sessions}` } : undefined;
      const serverInfo = { name: "tools", version: "1" };
      const result =
        method === "initialize"
          ? { protocolVersion: "2025-06-18", capabilities: { tools: {} }, serverInfo }
          : { tools: [] };
      return Response.json({ jsonrpc: "2.0", id, result }, headers ? { headers } : {});
    },
  });
  return { url: `http://127.0.0.1:${server.port}/mcp`, stop: () => server.stop(true) };
}
