import { afterEach, describe, expect, test } from "bun:test";
import { McpServer } from "../../support/mcp-server.ts";

const METADATA = "/.well-known/oauth-authorization-server";
const PATHS = [METADATA, `${METADATA}/api/mcp/id/good`, `${METADATA}/api/mcp/id/good/mcp`, "/token", "/register"];

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

function start(): McpServer {
  const server = new McpServer();
  cleanups.push(() => server.stop());
  return server;
}

async function statusOf(server: McpServer, method: string, path: string): Promise<number> {
  const response = await server.call(method, method === "POST" ? { body: "{}" } : {}, path);
  await response.text();
  return response.status;
}

describe("the routes by which programs get access", () => {
  test.each(["GET", "HEAD", "POST", "DELETE"])(
    "do not exist without a relay for which people sign in: %s",
    async (method) => {
      const server = start();
      for (const path of [...PATHS, "/authorize"])
        expect(`${path} ${await statusOf(server, method, path)}`).toBe(`${path} 404`);
    },
  );

  test("refuse other methods where there is one, and answer HEAD as GET", async () => {
    const server = start();
    await server.relay({ id: "good", info: { auth: "connector" } });
    for (const path of PATHS.slice(0, 3)) {
      expect(`${path} ${await statusOf(server, "HEAD", path)}`).toBe(`${path} 200`);
      expect(`${path} ${await statusOf(server, "POST", path)}`).toBe(`${path} 405`);
    }
    for (const path of ["/token", "/register"])
      expect(`${path} ${await statusOf(server, "GET", path)}`).toBe(`${path} 405`);
  });
});
