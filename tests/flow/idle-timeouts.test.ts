import { afterEach, expect, test } from "bun:test";
import { MODEL, sound } from "../support/audio-form.ts";
import { AudioServer, receive } from "../support/audio-server.ts";
import { eventually } from "../support/eventually.ts";
import { MCP_JSON, McpServer } from "../support/mcp-server.ts";
import { API_KEY, TestServer } from "../support/test-server.ts";
import { TransferServer } from "../support/transfer-server.ts";

let server: TestServer | undefined;
afterEach(() => server?.stop());

/** The idle timeouts that were last set, in seconds, by request. 0 lifts it; one that is set after the answer is ignored. */
function watchTimeouts(of: TestServer): Map<string, number> {
  const bun = of.app.elysia.server ?? expect.unreachable();
  const last = new Map<string, number>();
  const real = bun.timeout.bind(bun);
  bun.timeout = (request, seconds) => {
    if (bun.requestIP(request) !== null) last.set(`${request.method} ${request.headers.get("x-request-id")}`, seconds);
    real(request, seconds);
  };
  return last;
}

const named = (id: string): RequestInit => ({ headers: { "x-request-id": id } });

/**
 * The timeout is lifted during a request and restored after it, since a kept-alive connection must not stay open forever.
 */
async function isRestored(last: Map<string, number>, requests: readonly string[]): Promise<void> {
  await eventually(() => requests.every((name) => (last.get(name) ?? 0) > 0), "every idle timeout is back");
}

test("both sides of a transfer have no idle timeout until it ends", async () => {
  const transfers = new TransferServer();
  server = transfers;
  const last = watchTimeouts(transfers);
  const id = await transfers.channel();
  const reader = transfers.read(id, named("r"));
  await eventually(() => last.get("GET r") === 0, "the reader waits");
  const answer = transfers.write(id, "x", named("w"));
  await (await reader).text();
  expect((await answer).status).toBe(200);
  await isRestored(last, ["GET r", "POST w"]);
  expect((await transfers.read(id, named("late"))).status).toBe(409);
  await isRestored(last, ["GET late"]);
});

test("an upload has no idle timeout until it ends, with success or not", async () => {
  const audio = new AudioServer();
  server = audio;
  const last = watchTimeouts(audio);
  const worker = await audio.listener();
  const answer = audio.transcribe([MODEL, sound(100_000)], named("good"));
  const { request } = await receive(worker);
  expect(last.get("POST good")).toBe(0);
  worker.answerJson(request.id, {});
  await (await answer).text();
  expect((await audio.transcribe([sound(100_000)], named("bad"))).status).toBe(400);
  await isRestored(last, ["POST good", "POST bad"]);
});

test("a call to an MCP server has no idle timeout until it ends", async () => {
  const mcp = new McpServer();
  server = mcp;
  const last = watchTimeouts(mcp);
  const relay = await mcp.relay();
  const answer = mcp.rpc({ jsonrpc: "2.0", id: 1, method: "ping" }, named("c"));
  const { id } = await relay.request();
  expect(last.get("POST c")).toBe(0);
  relay.head(id, 200, MCP_JSON, "{}", true);
  await (await answer).text();
  await isRestored(last, ["POST c"]);
});

test("a stream of the state has none, and its connection has one again when the server ends the stream", async () => {
  server = new TestServer({ keepaliveIntervalMs: 50 });
  const last = watchTimeouts(server);
  const body = new URLSearchParams({ key: API_KEY });
  const signedIn = await fetch(`${server.url}/state/sign-in`, { method: "POST", body, redirect: "manual" });
  const cookie = signedIn.headers.get("set-cookie")?.split(";")[0] ?? "";
  const headers = { cookie, "x-request-id": "s" };
  const stream = await fetch(`${server.url}/api/state/stream`, { headers });
  expect(last.get("GET s")).toBe(0);
  await fetch(`${server.url}/state/sign-out`, { method: "POST", headers: { cookie }, redirect: "manual" });
  await stream.text();
  await isRestored(last, ["GET s"]);
});
