import { afterEach, expect, test } from "bun:test";
import { eventually } from "../../support/eventually.ts";
import { LegacyWorker } from "../../support/legacy-worker.ts";
import { McpServer } from "../../support/mcp-server.ts";
import { CLIENT_KEY, TestServer } from "../../support/test-server.ts";
import recorded from "./recorded.json";

// `recorded.json` has what real agents of nfrx 0.9.6 (nfrx-llm, nfrx-asr and nfrx-mcp) sent to a Moorage server: their first
// messages, and their answers to each request. Ids of requests, dates and facts about the machine are left out.

type Frame = Readonly<Record<string, unknown>>;

const running: { stop(): unknown }[] = [];
afterEach(async () => {
  for (const each of running.splice(0).reverse()) await each.stop();
});

/** Connects as a recorded agent, and says its first messages. */
async function connect(url: string, path: string, hello: readonly Frame[]): Promise<LegacyWorker> {
  const agent = new LegacyWorker({ url, path, headers: { authorization: `Bearer ${CLIENT_KEY}` } });
  running.push({ stop: () => agent.kill() });
  await agent.opened;
  for (const frame of hello) agent.send(frame);
  return agent;
}

/** Replies to the next request with recorded frames. */
async function reply(agent: LegacyWorker, frames: readonly Frame[]): Promise<string> {
  const { request_id } = await agent.request();
  for (const frame of frames) agent.send({ ...frame, ...(isAboutRequest(frame) ? { request_id } : {}) });
  return request_id;
}

function isAboutRequest(frame: Frame): boolean {
  return String(frame["type"]).startsWith("http_proxy_");
}

function exchange(list: readonly (readonly Frame[])[], at: number): readonly Frame[] {
  const frames = list[at];
  if (!frames) throw new Error(`nothing was recorded as number ${at}`);
  return frames;
}

test("what nfrx-llm sent is served: an answer, a stream, embeddings, a cancelled stream and a drain", async () => {
  const server = new TestServer();
  running.push(server);
  const { hello, exchanges, closed } = recorded.llm;
  const agent = await connect(server.url, "/api/llm/connect", hello);
  await eventually(async () => (await server.state()).workers[0]?.["status"] === "idle", "it is there");
  expect((await server.state()).workers[0]).toMatchObject({
    id: "agent",
    models: ["m"],
    max_concurrency: 2,
    host_info: { hostname: "box", os_name: "debian", cpu_percent: 12.5 },
  });

  const answer = server.chat("m");
  await reply(agent, exchange(exchanges, 0));
  expect(await (await answer).json()).toMatchObject({ choices: [{ message: { content: "hi" } }] });

  const stream = server.chat("m", { stream: true });
  await reply(agent, exchange(exchanges, 1));
  const events = await (await stream).text();
  expect(events.split("\n\n").length).toBe(5);
  expect(events).toEndWith("data: [DONE]\n\n");

  const embeddings = server.post("/v1/embeddings", { model: "m", input: ["a", "b"] });
  await reply(agent, exchange(exchanges, 2));
  expect(await (await embeddings).json()).toMatchObject({ data: [{ index: 0 }, { index: 1 }] });

  const leaver = new AbortController();
  const left = server.chat("m", { stream: true }, { signal: leaver.signal });
  const request_id = await reply(agent, exchange(exchanges, 3));
  await (await left).body?.getReader().read();
  leaver.abort();
  // The agent stops its backend and says nothing more about it.
  expect(await agent.cancelled()).toMatchObject({ request_id });

  const last = server.chat("m", { stream: true });
  await reply(agent, exchange(exchanges, 4));
  await eventually(async () => (await server.state()).workers[0]?.["status"] === "draining", "it drains");
  agent.socket.close(closed.code, closed.reason);
  // It has left before its last messages: the stream must not look complete.
  const cut = await (await last).text();
  expect(cut).toContain("worker_lost");
  expect(cut).not.toContain("[DONE]");
  await eventually(async () => (await server.state()).workers.length === 0, "it has left");
});

test("what nfrx-asr sent is served: a transcript, and a backend that is down", async () => {
  const server = new TestServer({ plugins: ["asr"] });
  running.push(server);
  const { hello, exchanges } = recorded.asr;
  const agent = await connect(server.url, "/api/asr/connect", hello);
  await eventually(async () => (await server.asrState()).workers[0]?.["status"] === "idle", "it is there");
  const transcribe = (): Promise<Response> => {
    const form = new FormData();
    form.set("model", "m");
    form.set("file", new Blob([new Uint8Array(300)]), "s.wav");
    return server.fetch("/v1/audio/transcriptions", { method: "POST", body: form });
  };

  const transcript = transcribe();
  await reply(agent, exchange(exchanges, 0));
  expect(await (await transcript).json()).toEqual({ text: "bytes 592" });

  let isOver = false;
  const refused = transcribe().finally(() => {
    isOver = true;
  });
  // The server may try the same agent more than once.
  while (!isOver) await Promise.race([reply(agent, exchange(exchanges, 1)).catch(() => undefined), refused]);
  const response = await refused;
  expect(response.status).toBe(502);
  expect(await response.json()).toMatchObject({ error: { code: "upstream_unreachable" } });
}, 15_000);

test("what nfrx-mcp sent is served: a call, a refused token and a ping", async () => {
  const server = new McpServer();
  running.push(server);
  const { hello, calls } = recorded.mcp;
  const agent = await connect(server.url, "/api/mcp/connect", hello);
  expect(await agent.messages.take("its id")).toEqual({ id: "agent" });
  const call = (id: unknown): Promise<Response> =>
    server.fetch("/api/mcp/id/agent", {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json, text/event-stream" },
      body: JSON.stringify({ jsonrpc: "2.0", id, method: "tools/list" }),
    });
  const next = async (t: string): Promise<string> =>
    String((await agent.messages.takeUntil((message) => message["t"] === t, t))["sid"]);

  const listed = call("one");
  const [opened, result, done] = exchange(calls, 0);
  const sid = await next("open");
  agent.send({ ...opened, sid });
  await next("rpc");
  agent.send({ ...result, sid });
  agent.send({ ...done, sid });
  expect(await (await listed).json()).toEqual({
    jsonrpc: "2.0",
    id: "one",
    result: { tools: [{ name: "t", inputSchema: { type: "object" } }] },
  });

  const refused = call(2);
  const [failed] = exchange(calls, 1);
  agent.send({ ...failed, sid: await next("open") });
  expect((await refused).status).toBe(401);

  agent.send({ t: "ping" });
  expect(await agent.messages.take("pong")).toEqual({ t: "pong" });
});
