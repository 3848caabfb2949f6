import { afterEach, describe, expect, test } from "bun:test";
import type { Config } from "../../support/default-config.ts";
import { eventually } from "../../support/eventually.ts";
import { MCP_JSON, McpServer } from "../../support/mcp-server.ts";
import type { NativeWorker } from "../../support/native-worker.ts";

const servers: McpServer[] = [];

function start(overrides: Partial<Config> = {}): McpServer {
  const server = new McpServer(overrides);
  servers.push(server);
  return server;
}
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
});

const RESULT = '{"jsonrpc":"2.0","id":7,"result":{}}';
const EVENTS = [["content-type", "text/event-stream"]] as const;

/** A call as the Python SDK writes it, with its id in front, or as the TypeScript SDK does, with its id at the end. */
const written = {
  first: (text: string) =>
    `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"write","arguments":{"text":"${text}"}}}`,
  last: (text: string) =>
    `{"method":"tools/call","params":{"name":"write","arguments":{"text":"${text}","id":5}},"jsonrpc":"2.0","id":7}`,
};

/** Returns a body whose length is not declared. */
function inChunks(text: string): ReadableStream<Uint8Array> {
  const bytes = new TextEncoder().encode(text);
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at >= bytes.length) return controller.close();
      controller.enqueue(bytes.slice(at, at + 40_000));
      at += 40_000;
    },
  });
}

/** Takes a request with its whole body. */
async function takeAll(relay: NativeWorker) {
  const request = await relay.request();
  const pieces = [request.body];
  for (let end = request.end; !end; ) {
    const frame = await relay.frames.take();
    if (frame.type !== "request_data") throw new Error(frame.type);
    pieces.push(frame.body);
    relay.credit(request.id, frame.body.length);
    end = frame.end;
  }
  return { ...request, body: Buffer.concat(pieces).toString() };
}

describe.each(["first", "last"] as const)("a call with its id %s", (place) => {
  test.each([10, 70_000, 300_000])(
    "of %d bytes is counted by its function and passed on with its length",
    async (size) => {
      const server = start();
      const relay = await server.relay();
      const body = written[place]("é".repeat(size / 2));
      const answer = server.rpc(body);
      const request = await takeAll(relay);
      expect(request.body).toBe(body);
      expect(Object.fromEntries(request.head.headers)["content-length"]).toBe(String(Buffer.byteLength(body)));
      relay.head(request.id, 200, MCP_JSON, RESULT, true);
      expect(await (await answer).text()).toBe(RESULT);
      const [found] = await eventually(async () => {
        const { functions } = await server.mcpState();
        return functions.length > 0 ? functions : undefined;
      });
      expect(found).toMatchObject({ name: "write", calls: 1 });
    },
  );

  test.each([10, 300_000])("of %d bytes that comes in chunks arrives whole", async (size) => {
    const server = start();
    const relay = await server.relay();
    const body = written[place]("x".repeat(size));
    const answer = server.rpc("", { body: inChunks(body) });
    const request = await takeAll(relay);
    expect(request.body).toBe(body);
    expect(request.end).toBe(size === 10);
    relay.head(request.id, 200, MCP_JSON, RESULT, true);
    expect((await answer).status).toBe(200);
  });

  test("that is too large gets 413 with its id, also when it comes in chunks of unknown number", async () => {
    const server = start({ mcpMaxBodyBytes: 200_000 });
    await server.relay();
    const body = written[place]("x".repeat(300_000));
    const response = await server.rpc(body);
    expect(response.status).toBe(413);
    expect(await response.json()).toMatchObject({ id: 7, error: { data: { code: "request_too_large" } } });
    const chunked = await server.rpc("", { body: inChunks(body) });
    expect(chunked.status).toBe(413);
    expect(((await chunked.json()) as { id?: number }).id).toBe(place === "first" ? 7 : undefined); // this server's own error
  });

  test("that fails gets its id in the error", async () => {
    const server = start();
    const relay = await server.relay();
    const answer = server.rpc(written[place]("x".repeat(300_000)));
    const { id } = await takeAll(relay);
    relay.breakOff(id, "upstream_error");
    const response = await answer;
    expect(response.status).toBe(502);
    expect(await response.json()).toMatchObject({ id: 7 });
  });
});

test("a body that is declared far too large is refused before it has arrived", async () => {
  const server = start({ mcpMaxBodyBytes: 100_000 });
  await server.relay();
  const response = await server.rpc(written.first("x".repeat(1_000_000)));
  expect(response.status).toBe(413);
  expect(await response.json()).toMatchObject({ id: 7 });
});

describe("an answer over the limit", () => {
  test("whose length is known is an error with the call's id, and the relay is told to stop", async () => {
    const server = start({ mcpMaxAnswerBytes: 100_000 });
    const relay = await server.relay();
    const answer = server.rpc(written.first("x"));
    const { id } = await relay.request();
    relay.head(id, 200, [...MCP_JSON, ["content-length", "100001"]], "{", false);
    const response = await answer;
    expect(response.status).toBe(502);
    expect(await response.json()).toMatchObject({
      id: 7,
      error: { message: expect.stringContaining("MCP_MAX_ANSWER_BYTES"), data: { code: "response_too_large" } },
    });
    expect(await relay.reset()).toMatchObject({ id, code: "canceled" });
    expect((await server.mcpState()).relays[0]).toMatchObject({ failures_total: 1, last_error: "response_too_large" });
  });

  test("whose length is unknown is cut, because it has begun", async () => {
    const server = start({ mcpMaxAnswerBytes: 50_000 });
    const relay = await server.relay();
    const answer = server.rpc(written.first("x"));
    const { id } = await relay.request();
    relay.head(id, 200, MCP_JSON, "x".repeat(40_000));
    const response = await answer;
    relay.data(id, "x".repeat(40_000));
    await expect(response.text()).rejects.toThrow();
  });

  test("that is an event stream passes", async () => {
    const server = start({ mcpMaxAnswerBytes: 50_000 });
    const relay = await server.relay();
    const answer = server.rpc(written.first("x"));
    const { id } = await relay.request();
    const event = `data: ${"x".repeat(80_000)}\n\n`;
    relay.head(id, 200, [...EVENTS, ["content-length", String(event.length)]], event, true);
    expect(await (await answer).text()).toContain(event);
  });
});
