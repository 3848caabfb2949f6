import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { eventually } from "../support/eventually.ts";
import { ProgramRun } from "../support/program-run.ts";
import { freePort } from "../support/proxy.ts";
import { startBackend } from "../support/test-worker.ts";

const ROOT = join(import.meta.dir, "../..");
const KEYS = { API_KEY: "fault-api-key", CLIENT_KEY: "fault-client-key", PATH: process.env["PATH"] ?? "" };
const CHUNKS = 40;
const running: { stop(): unknown }[] = [];
let port = 0;
let url = "";
let server: ProgramRun;
let backendUrl = "";
/** Number of answers of which the client has received something. */
let begun = 0;
/** Resolves when answers may go past their half. */
let secondHalf = Promise.resolve();

function keep<T extends { stop(): unknown }>(each: T): T {
  running.push(each);
  return each;
}

async function startServer(): Promise<void> {
  const env = { ...KEYS, PORT: String(port), HOST: "127.0.0.1", PING_INTERVAL: "1s" };
  server = keep(new ProgramRun([process.execPath, "src/main.ts"], env, ROOT));
  await server.event("server.started");
}

async function startWorker(id: string): Promise<ProgramRun> {
  const args = ["llm", "--server", url, "--backend", backendUrl, "--models", "m", "--id", id];
  const flags = ["--max-concurrency", "20", "--drain-timeout", "0s"];
  const worker = keep(new ProgramRun([process.execPath, "src/worker/main.ts", ...args, ...flags], KEYS, ROOT));
  await worker.event("link.opened");
  return worker;
}

beforeEach(async () => {
  port = await freePort();
  url = `http://127.0.0.1:${port}`;
  backendUrl = keep(startBackend(answer)).url;
  await startServer();
});
afterEach(async () => {
  for (const each of running.splice(0).reverse()) await each.stop();
});

/** A stream of 40 chunks, or a plain answer in as many pieces. */
async function answer(request: Request): Promise<Response> {
  const { stream } = (await request.json()) as { stream?: boolean }; // From the clients below.
  const encoder = new TextEncoder();
  let sent = 0;
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      if (sent === CHUNKS / 2) await secondHalf;
      sent += 1;
      controller.enqueue(encoder.encode(stream ? `data: ${sent}\n\n` : `${sent},`.padEnd(5000)));
      if (sent < CHUNKS) return;
      if (stream) controller.enqueue(encoder.encode("data: [DONE]\n\n"));
      controller.close();
    },
  });
  const headers: Record<string, string> = { "content-type": stream ? "text/event-stream" : "application/json" };
  return new Response(body, { headers });
}

/** How an answer looks to its client; one that looks whole must hold everything. */
async function ask(stream: boolean): Promise<"whole" | "error"> {
  const answer = await read(stream).catch(() => undefined);
  if (answer?.status !== 200) return "error";
  if (stream && !answer.text.endsWith("data: [DONE]\n\n")) {
    expect(answer.text).toContain('"error"');
    return "error";
  }
  if (stream) expect(answer.text.match(/^data: \d+$/gm)).toHaveLength(CHUNKS);
  else expect(answer.text).toHaveLength(5000 * CHUNKS);
  return "whole";
}

/** Rejects where the connection breaks off. */
async function read(stream: boolean): Promise<{ readonly status: number; readonly text: string }> {
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${KEYS.API_KEY}`, "content-type": "application/json" },
    body: JSON.stringify({ model: "m", stream, messages: [] }),
  });
  const decoder = new TextDecoder();
  let text = "";
  for await (const piece of response.body ?? []) {
    if (text === "") begun += 1;
    text += decoder.decode(piece, { stream: true });
  }
  return { status: response.status, text };
}

/** Twenty requests, half of them for streams, whose answers have all begun and go no further than half until `goOn`. */
async function load(): Promise<{ readonly seen: Promise<readonly ("whole" | "error")[]>; goOn(): void }> {
  const gate = Promise.withResolvers<void>();
  secondHalf = gate.promise;
  begun = 0;
  const asked = Array.from({ length: 20 }, (_, each) => ask(each % 2 === 0));
  await eventually(() => begun === asked.length, "every answer has begun", 20_000);
  return { seen: Promise.all(asked), goOn: gate.resolve };
}

const isServed = async (): Promise<boolean> => (await ask(true)) === "whole";

describe("kill -9 under load", () => {
  test("of the server gives clients errors and no cut answer that looks whole, and the workers reconnect by themselves", async () => {
    await startWorker("stays");
    expect(await isServed()).toBe(true);
    const { seen, goOn } = await load();
    server.kill();
    goOn();
    expect((await seen).filter((what) => what === "whole")).toEqual([]);
    await server.exited;
    await startServer();
    await eventually(isServed, "the worker has come back", 40_000);
  }, 90_000);

  test("of a worker gives clients errors or the other worker's answers, and no cut answer that looks whole", async () => {
    const victim = await startWorker("victim");
    await startWorker("stays");
    const { seen, goOn } = await load();
    victim.kill();
    goOn();
    expect((await seen).filter((what) => what === "error").length).toBeGreaterThan(0);
    expect((await seen).filter((what) => what === "whole").length).toBeGreaterThan(0);
    expect(await isServed()).toBe(true);
  }, 60_000);
});
