import { afterAll, beforeAll, expect, test } from "bun:test";
import { NativeWorker } from "../support/native-worker.ts";
import { RawClient } from "../support/raw-client.ts";
import { API_KEY, CLIENT_KEY, TestServer } from "../support/test-server.ts";

// All jobs share a worker's link, and a worker closes it for an invalid frame, so no client may cause one.

let server: TestServer;
beforeAll(() => {
  server = new TestServer({ plugins: ["llm", "mcp"], mcpRejoinTimeoutMs: 0 });
});
afterAll(() => server.stop());

const body = JSON.stringify({ model: "m", messages: [] });
const post = (path: string, headers: string): string =>
  `POST ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${API_KEY}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n${headers}\r\n${body}`;

test.each([
  ["llm", "/v1/chat/completions", "x-odd"],
  ["mcp", "/api/mcp/id/r", "accept-language"],
])("a header with a DEL character, which Bun accepts, is not sent to a worker of %s", async (kind, path, name) => {
  // Each greeting ignores the other's fields.
  const register = { client_key: CLIENT_KEY, id: "r", models: ["m"] };
  const worker = await NativeWorker.connect({ url: server.url, path: `/api/${kind}/connect`, register });
  const client = new RawClient(server.url);
  await client.write(post(path, `${name}: a\x7fb\r\nAccept: x/y\r\n`));
  const { head, id } = await worker.request();
  const names = head.headers.map(([each]) => each);
  expect(names).toContain("accept");
  expect(names).not.toContain(name);
  worker.answerJson(id, {});
  expect(await client.readUntil("{}")).toStartWith("HTTP/1.1 200");
  await client.kill();
  worker.close();
});
