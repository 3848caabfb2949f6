import { afterEach, beforeEach, expect, test } from "bun:test";
import { createLog } from "../../../src/system/log.ts";
import { eventually } from "../../support/eventually.ts";
import { ScriptedOllama } from "../../support/scripted-ollama.ts";
import { CLIENT_KEY, TestServer } from "../../support/test-server.ts";
import { startTestWorker } from "../../support/test-worker.ts";

// The server and the worker program between a client and a model server that is scripted from Ollama's source.

type Line = Readonly<Record<string, unknown>>;

let ollama: ScriptedOllama;
let server: TestServer;
let worker: ReturnType<typeof startTestWorker>;
let lines: string[];
beforeEach(async () => {
  lines = [];
  const log = createLog({ level: "info", format: "json", now: Date.now, write: (line) => void lines.push(line) });
  ollama = new ScriptedOllama();
  server = new TestServer({}, { log });
  worker = startTestWorker({
    server: server.url,
    clientKeys: [CLIENT_KEY],
    backend: `${ollama.url}/v1`,
    drainTimeoutMs: 0,
  });
  await worker.registered;
});
afterEach(async () => {
  await worker.stop();
  await server.stop();
  await ollama.stop();
});

/** Resolves to the lines of the jobs that have ended, once there are so many. */
async function ended(count: number): Promise<readonly Line[]> {
  const find = (): readonly Line[] =>
    lines.map((line) => JSON.parse(line) as Line).filter((line) => line["event"] === "job.ended"); // what the log writes
  await eventually(() => find().length >= count, `${count} jobs have ended`);
  return find();
}

const REQUEST = { model: "llama3.2:latest", stream: true, messages: [{ role: "user", content: "What burns?" }] };

async function direct(request: object): Promise<string> {
  const answer = await fetch(`${ollama.url}/v1/chat/completions`, { method: "POST", body: JSON.stringify(request) });
  return answer.text();
}

test("a stream of Ollama is counted exactly, and its client gets the bytes that it gets without a server in between", async () => {
  const answer = await server.post("/v1/chat/completions", REQUEST);
  expect(await answer.text()).toBe(await direct(REQUEST));
  expect(ollama.bodies[0]).toContain('"stream_options":{"include_usage":true}');
  const [line] = await ended(1);
  expect(line).toMatchObject({ input_tokens: 23, output_tokens: 7 });
  expect(line).not.toHaveProperty("estimated");
});

test("a client that asks for the usage gets it, byte for byte", async () => {
  const request = { ...REQUEST, stream_options: { include_usage: true } };
  const answer = await server.post("/v1/chat/completions", request);
  const text = await answer.text();
  expect(text).toBe(await direct(request));
  expect(text).toContain(JSON.stringify(ScriptedOllama.usage));
});

test("a request of several frames is counted exactly too", async () => {
  const long = { ...REQUEST, messages: [{ role: "user", content: "x".repeat(400_000) }] };
  for (const request of [long, long])
    expect(await (await server.post("/v1/chat/completions", request)).text()).toBe(await direct(request));
  for (const line of await ended(2)) expect(line).toMatchObject({ input_tokens: 23, output_tokens: 7 });
});
