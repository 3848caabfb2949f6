import { afterEach, expect, test } from "bun:test";
import { createLog } from "../../src/system/log.ts";
import { eventually } from "../support/eventually.ts";
import { McpServer } from "../support/mcp-server.ts";
import { API_KEY, CLIENT_KEY } from "../support/test-server.ts";

const CALLER_FIELDS: ReadonlySet<string> = new Set(["caller", "reader_caller", "writer_caller"]);

let server: McpServer | undefined;
afterEach(() => server?.stop());

/** A server of all plugins, and the callers in its log lines of one event. */
function start(): { readonly server: McpServer; callersOf(event: string): Promise<object> } {
  const lines: string[] = [];
  const log = createLog({ level: "info", format: "json", now: Date.now, write: (line) => void lines.push(line) });
  const started = new McpServer({ plugins: ["llm", "mcp", "transfer"], apiKeys: ["other", API_KEY] }, { log });
  server = started;
  const find = (event: string): Record<string, unknown> | undefined =>
    lines.map((line) => JSON.parse(line) as Record<string, unknown>).find((each) => each["event"] === event); // What the log writes.
  return {
    server: started,
    async callersOf(event) {
      await eventually(() => find(event) !== undefined, `the log has ${event}`);
      return Object.fromEntries(Object.entries(find(event) ?? {}).filter(([name]) => CALLER_FIELDS.has(name)));
    },
  };
}

test("the log line of a job names its caller by the place of the key, and by no part of it", async () => {
  const { server, callersOf } = start();
  const worker = await server.worker({ models: ["m"] });
  const answer = server.chat("m");
  worker.answerJson((await worker.request()).id, {});
  expect((await answer).status).toBe(200);
  expect(await callersOf("job.ended")).toEqual({ caller: "api-key:2" });
});

test("the log line of an MCP call names an anonymous caller: its bearer is the relay's", async () => {
  const { server, callersOf } = start();
  const relay = await server.relay();
  const answer = server.rpc(
    { jsonrpc: "2.0", id: 1, method: "ping" },
    { headers: { authorization: `Bearer ${API_KEY}` } },
  );
  relay.answerJson((await relay.request()).id, {});
  expect((await answer).status).toBe(200);
  expect(await callersOf("call.ended")).toEqual({ caller: "anonymous" });
});

test("the log line of a transfer names the callers of both sides", async () => {
  const { server, callersOf } = start();
  const made = await server.fetch("/api/transfer", { method: "POST" });
  const { channel_id } = (await made.json()) as { channel_id: string }; // What the API promises.
  const read = server.fetch(`/api/transfer/${channel_id}`);
  const written = server.fetch(`/api/transfer/${channel_id}`, {
    method: "PUT",
    body: "ahoy",
    headers: { authorization: `Bearer ${CLIENT_KEY}` },
  });
  expect([(await read).status, (await written).status]).toEqual([200, 200]);
  expect(await callersOf("transfer.ended")).toEqual({ reader_caller: "api-key:2", writer_caller: "client-key:1" });
});

test("the log line of an operator's action names who acted", async () => {
  const { server, callersOf } = start();
  await server.worker({ models: ["m"], worker_id: "gpu" });
  expect((await server.fetch("/api/state/workers/gpu/drain", { method: "POST" })).status).toBe(200);
  expect(await callersOf("operator.action")).toEqual({ caller: "api-key:2" });
});
