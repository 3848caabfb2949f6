import { afterEach, describe, expect, test } from "bun:test";
import { METADATA_PATH } from "../../src/wire/mcp-metadata.ts";
import { McpServer } from "../support/mcp-server.ts";
import { API_KEY, TestServer } from "../support/test-server.ts";

let server: TestServer;
afterEach(() => server.stop());

const bearer = { authorization: `Bearer ${API_KEY}` };
const JSON_HEADERS = { ...bearer, "content-type": "application/json" };

function chat(model: string, init: RequestInit = {}): Promise<Response> {
  const body = JSON.stringify({ model, stream: true, messages: [{ role: "user", content: "?" }] });
  return fetch(`${server.url}/v1/chat/completions`, { method: "POST", headers: JSON_HEADERS, body, ...init });
}

async function told(answer: Response): Promise<readonly [number, string, string | null]> {
  const { error } = (await answer.json()) as { error: { code: string } }; // the shape of every error
  return [answer.status, error.code, answer.headers.get("retry-after")];
}

describe("a caller at its limit of concurrent requests", () => {
  test("by key is refused with 429 on all routes until a request ends", async () => {
    server = new TestServer({ plugins: ["llm", "asr"], maxRequestsPerKey: 1 });
    const worker = await server.worker({ models: ["m"], max_concurrency: 4 });
    const first = chat("m");
    const request = await worker.request();
    expect(await told(await chat("m"))).toEqual([429, "too_many_requests", "2"]);
    const upload = new FormData();
    upload.append("model", "m");
    upload.append("file", new Blob(["x"]), "x.wav");
    const audio = await fetch(`${server.url}/v1/audio/transcriptions`, {
      method: "POST",
      headers: bearer,
      body: upload,
    });
    expect(await told(audio)).toEqual([429, "too_many_requests", "2"]);
    worker.answerJson(request.id, { done: true });
    expect((await first).status).toBe(200);
    const second = chat("m");
    worker.answerJson((await worker.request()).id, { done: true });
    expect((await second).status).toBe(200);
  });

  test("by address is distinguished from a caller at another address", async () => {
    server = new TestServer({ maxRequestsPerAddress: 1 });
    const worker = await server.worker({ models: ["m"], max_concurrency: 4 });
    const from = (address: string): RequestInit => ({ headers: { ...JSON_HEADERS, "x-forwarded-for": address } });
    const answers = [chat("m", from("203.0.113.1"))];
    const request = await worker.request();
    expect((await chat("m", from("203.0.113.1"))).status).toBe(429);
    answers.push(chat("m", from("203.0.113.2")));
    worker.answerJson((await worker.request()).id, {});
    worker.answerJson(request.id, {});
    for (const answer of answers) expect((await answer).status).toBe(200);
  });

  test("is refused for an MCP server's OAuth metadata as for a call", async () => {
    const mcp = new McpServer({ maxRequestsPerAddress: 1 });
    server = mcp;
    const relay = await mcp.relay({ info: { auth: "oauth" } });
    const ask = (): Promise<Response> => mcp.call("GET", {}, `${METADATA_PATH}/api/mcp/id/tools`);
    const first = ask();
    const request = await relay.request();
    expect(await told(await ask())).toEqual([429, "too_many_requests", "2"]);
    expect((await mcp.rpc({ jsonrpc: "2.0", id: 1, method: "ping" })).status).toBe(429);
    relay.answerJson(request.id, {});
    expect((await first).status).toBe(200);
    const second = ask();
    relay.answerJson((await relay.request()).id, {});
    expect((await second).status).toBe(200);
  });
});

/** Each way in which a request can end; none may leave its caller counted. */
const ENDINGS: Readonly<Record<string, () => Promise<void>>> = {
  "that is no JSON": async () => {
    expect((await chat("m", { body: "{" })).status).toBe(400);
  },
  "for a model that nobody has": async () => {
    expect((await chat("nobody's")).status).toBe(404);
  },
  "whose client leaves while it waits": async () => {
    const worker = await server.worker({ models: ["m"] });
    const stop = new AbortController();
    const answer = chat("m", { signal: stop.signal }).catch(() => "left");
    await worker.request();
    stop.abort();
    expect(await answer).toBe("left");
    await worker.reset();
    worker.close();
    await worker.closed;
  },
  "whose worker is lost": async () => {
    const worker = await server.worker({ models: ["w"] });
    const answer = chat("w");
    const { id } = await worker.request();
    worker.head(id, 200, [["content-type", "text/event-stream"]]);
    worker.data(id, "data: {}\n\n");
    const response = await answer;
    worker.close();
    expect(await response.text()).toContain("worker_lost");
  },
  "for embeddings": async () => {
    const worker = await server.worker({ models: ["e"] });
    const answer = fetch(`${server.url}/v1/embeddings`, {
      method: "POST",
      headers: JSON_HEADERS,
      body: JSON.stringify({ model: "e", input: "x" }),
    });
    worker.answerJson((await worker.request()).id, { data: [] }, 418);
    expect((await answer).status).toBe(418);
    worker.close();
    await worker.closed;
  },
  "for audio, without a form": async () => {
    const answer = await fetch(`${server.url}/v1/audio/transcriptions`, { method: "POST", headers: bearer, body: "x" });
    expect(answer.status).toBe(415);
  },
  "to a relay that is not there": async () => {
    expect((await fetch(`${server.url}/api/mcp/id/nobody`, { method: "POST", body: "{}" })).status).toBe(503);
  },
  "for the metadata of a relay that is not there": async () => {
    expect((await fetch(`${server.url}${METADATA_PATH}/api/mcp/id/nobody`)).status).toBe(503);
  },
  "of a reader whose channel is unknown": async () => {
    expect((await fetch(`${server.url}/api/transfer/unknown`, { headers: bearer })).status).toBe(404);
  },
  "of both sides of a transfer": async () => {
    const made = await fetch(`${server.url}/api/transfer`, { method: "POST", headers: bearer });
    const { channel_id } = (await made.json()) as { channel_id: string }; // what the API promises
    const url = `${server.url}/api/transfer/${channel_id}`;
    const reader = fetch(url, { headers: bearer });
    const writer = fetch(url, { method: "PUT", headers: bearer, body: "ahoy" });
    expect(await (await reader).text()).toBe("ahoy");
    expect((await writer).status).toBe(200);
  },
};

test.each(Object.entries(ENDINGS))("a request %s is no longer counted", async (_what, end) => {
  server = new TestServer({
    plugins: ["llm", "asr", "mcp", "transfer"],
    // The limit is two because a transfer has two sides. Any further endings would exceed it if one were still counted.
    maxRequestsPerKey: 2,
    maxRequestsPerAddress: 2,
    mcpRejoinTimeoutMs: 0,
  });
  for (let each = 0; each < 3; each += 1) await end();
});
