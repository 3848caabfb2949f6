import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { shutDown } from "../../../src/shutdown.ts";
import { systemClock } from "../../../src/system/clock.ts";
import { systemIds } from "../../../src/system/ids.ts";
import { silentLog } from "../../../src/system/log.ts";
import { VERSION } from "../../../src/system/version.ts";
import { eventually } from "../../support/eventually.ts";
import { LinkRecorder, type RecordedMessage } from "../../support/link-recorder.ts";
import { McpServer } from "../../support/mcp-server.ts";
import { CLIENT_KEY, TestServer } from "../../support/test-server.ts";
import { startTestWorker } from "../../support/test-worker.ts";
import { frameOf, readable, WIRE_FIXTURES, type WireFixture } from "../../support/wire-fixture.ts";

// Records what this version's worker, relay and server say to each other, for `recorded.test.ts` of this version and of all
// later ones: `bun tests/flow/wire/record.ts`, then `bun run format`. It writes the files of this version and leaves those of
// others alone. Record them again when the wire has changed, and keep the files of versions that were released.

const deps = { clock: systemClock, ids: systemIds, log: silentLog };
/** The smallest window, so that a request need not be large to travel in pieces. */
const WINDOW_BYTES = 16 * 1024;
const EVENTS = { headers: { "content-type": "text/event-stream" } };

/** A model server that answers as Ollama does, which tells what is loaded and takes the question for a stream's usage. */
function startOllama() {
  const models = ["chat:8b", "embed:latest"];
  let loaded = ["chat:8b"];
  const chunk = (fields: object): string =>
    `data: ${JSON.stringify({ id: "chatcmpl-1", model: "chat:8b", ...fields })}\n\n`;
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    async fetch(request) {
      const { pathname } = new URL(request.url);
      if (pathname === "/v1/models")
        return Response.json({
          object: "list",
          data: models.map((id) => ({ id, object: "model", owned_by: "library" })),
        });
      if (pathname === "/api/version") return Response.json({ version: "0.24.0" });
      if (pathname === "/api/tags") return Response.json({ models: models.map((name) => ({ name })) });
      if (pathname === "/api/ps")
        return Response.json({ models: loaded.map((name) => ({ name, context_length: 4096 })) });
      const body = (await request.json()) as { messages?: { content: string }[]; stream?: boolean }; // what the recorder sends
      const said = body.messages?.at(-1)?.content ?? "";
      if (said === "swap") loaded = ["embed:latest"];
      // A head without an end: the recorder's client leaves.
      if (said === "for ever")
        return new Response(
          new ReadableStream({ start: (c) => c.enqueue(chunk({ choices: [] })), pull: () => Bun.sleep(1e6) }),
          EVENTS,
        );
      if (!body.stream)
        return Response.json({ id: "chatcmpl-1", choices: [{ message: { content: `${said.length} characters` } }] });
      const events = [
        chunk({ choices: [{ delta: { content: "Ahoy — " } }] }),
        chunk({ choices: [{ delta: { content: "héllo" }, finish_reason: "stop" }] }),
        chunk({ choices: [], usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 } }),
        "data: [DONE]\n\n",
      ];
      const stream = async function* () {
        for (const event of events) {
          yield event;
          await Bun.sleep(20);
        }
      };
      return new Response(stream() as unknown as ReadableStream, EVENTS); // Bun takes an async generator as a body.
    },
  });
  return { url: `http://127.0.0.1:${server.port}/v1`, stop: () => server.stop(true) };
}

async function recordWorker(): Promise<readonly RecordedMessage[]> {
  const backend = startOllama();
  const server = new TestServer({
    windowBytes: WINDOW_BYTES,
    drainDelayMs: 50,
    drainTimeoutMs: 2000,
    queueTimeoutMs: 100,
  });
  const line = new LinkRecorder(server.url);
  const worker = startTestWorker({
    server: line.url,
    clientKeys: [CLIENT_KEY, "previous-client-key"],
    backend: backend.url,
    id: "recorded",
    renames: [{ shown: "public", backend: "chat:8b" }],
    drainTimeoutMs: 1000,
  });
  await worker.registered;
  const say = (content: string, more: object = {}, init: RequestInit = {}): Promise<Response> =>
    server.chat("public", { messages: [{ role: "user", content }], ...more }, init);
  await (await say("hello")).text();
  await (await say("hello", { stream: true })).text();
  await (await say("long ".repeat(8000))).text();
  const leaver = new AbortController();
  const left = await say("for ever", { stream: true }, { signal: leaver.signal });
  await left.body?.getReader().read();
  leaver.abort();
  await (await say("swap")).text();
  const isTold = (): boolean => line.messages.some(({ text }) => text?.includes('"loaded":["embed:latest"]'));
  await eventually(isTold, "the worker tells what is loaded");
  // Nobody listens at the backend's port any more, which the worker says of the job and of itself.
  await backend.stop();
  await (await say("hello")).text();
  await eventually(() => line.messages.some(({ text }) => text?.includes("not_ready")), "the worker is not ready");
  await shutDown(server.app, server.listening, server.config, deps);
  await worker.stop();
  await line.stop();
  return line.messages;
}

async function recordRelay(): Promise<readonly RecordedMessage[]> {
  const upstream = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: async (request) =>
      request.method === "POST"
        ? Response.json(
            { jsonrpc: "2.0", id: 1, result: { echo: await request.json() } },
            { headers: { "mcp-session-id": "s" } },
          )
        : new Response(null, { status: 405 }),
  });
  const server = new McpServer();
  const line = new LinkRecorder(server.url);
  const relay = startTestWorker({
    kinds: ["mcp"],
    server: line.url,
    clientKeys: [CLIENT_KEY],
    id: "tools",
    mcpUrl: `http://127.0.0.1:${upstream.port}/mcp`,
    authToken: "relay-token",
    drainTimeoutMs: 0,
  });
  await relay.registered;
  const call = (token: string): Promise<Response> =>
    server.rpc({ jsonrpc: "2.0", id: 1, method: "tools/list" }, { headers: { authorization: `Bearer ${token}` } });
  await (await call("relay-token")).text();
  await (await call("wrong-token")).text();
  await relay.stop();
  await server.stop();
  await line.stop();
  await upstream.stop(true);
  return line.messages;
}

/** Leaves out what differs from run to run and says nothing: heartbeats, and facts about this machine. */
function toFixture(kind: WireFixture["kind"], messages: readonly RecordedMessage[]): WireFixture {
  const kept = messages.flatMap((message): WireFixture["messages"] => {
    if (message.text === undefined) return [{ ...message, read: readable(frameOf(message)) }];
    const json = JSON.parse(message.text);
    if (json.type === "heartbeat") return [];
    if (json.agent_config) Object.assign(json.agent_config, { hostname: "box", os_name: "linux", os_version: "6.1" });
    return [{ ...message, text: JSON.stringify(json), read: json }];
  });
  return { kind, version: VERSION, messages: kept };
}

await mkdir(WIRE_FIXTURES, { recursive: true });
for (const [kind, record] of [
  ["worker", recordWorker],
  ["relay", recordRelay],
] as const) {
  const path = join(WIRE_FIXTURES, `${VERSION}-${kind}.json`);
  await Bun.write(path, `${JSON.stringify(toFixture(kind, await record()), null, 2)}\n`);
  process.stdout.write(`wrote ${path}\n`);
}
process.exit(0);
