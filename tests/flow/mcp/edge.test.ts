import { afterEach, describe, expect, test } from "bun:test";
import type { Config } from "../../support/default-config.ts";
import { MCP_JSON, McpServer } from "../../support/mcp-server.ts";
import { RawClient } from "../../support/raw-client.ts";

const servers: McpServer[] = [];

function start(overrides: Partial<Config> = {}): McpServer {
  const server = new McpServer(overrides);
  servers.push(server);
  return server;
}
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
});

const LIST = { jsonrpc: "2.0", id: 7, method: "tools/list" };
/** The status of an accepted request, which finds no relay. */
const PASSED = 503;

/** The status of a POST with these headers, which `fetch` would not send as they are. */
async function statusOf(
  server: McpServer,
  headers: Record<string, string>,
  path = "/api/mcp/id/tools",
): Promise<number> {
  const client = new RawClient(server.url);
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  await client.write(`POST ${path} HTTP/1.1\r\n${lines.join("")}Content-Length: 2\r\n\r\n{}`);
  const head = await client.readUntil("\r\n\r\n");
  await client.kill();
  return Number(head.split(" ")[1]);
}

describe("a request is judged by its Host header:", () => {
  const config = { host: "0.0.0.0", publicUrl: "https://moorage.example", allowedHosts: ["tools.example", "::1"] };

  test.each(["moorage.example", "Moorage.Example:443", "moorage.example.", "tools.example:8080", "[::1]:8080"])(
    "%p is an accepted name",
    async (host) => {
      expect(await statusOf(start(config), { Host: host })).toBe(PASSED);
    },
  );

  test.each([
    "evil.example",
    "moorage.example.evil.example",
    "evil.example:moorage.example",
    "moorage.example, evil.example",
    "localhost",
    "127.0.0.1",
    "",
  ])("%p is not accepted and gets 403", async (host) => {
    expect(await statusOf(start(config), { Host: host, "X-Forwarded-Host": "moorage.example" })).toBe(403);
  });

  test("a server on this machine only accepts the machine's names", async () => {
    for (const host of ["localhost:8080", "127.0.0.1", "[::1]"]) {
      expect(await statusOf(start({ ...config, host: "127.0.0.1" }), { Host: host })).toBe(PASSED);
    }
  });

  test("a server without configured names, or with a star, accepts every name", async () => {
    for (const allowedHosts of [[], ["*"]]) {
      expect(await statusOf(start({ allowedHosts }), { Host: "whatever.example" })).toBe(PASSED);
    }
  });

  test("OAuth metadata are protected in the same way", async () => {
    const server = start(config);
    const path = "/.well-known/oauth-protected-resource/api/mcp/id/tools";
    const response = await fetch(`${server.url}${path}`, { headers: { host: "evil.example" } });
    expect(response.status).toBe(403);
  });
});

describe("a request is judged by its Origin header:", () => {
  test("a page of this server is recognised by a configured name, never by the request alone", async () => {
    const named = { host: "0.0.0.0", publicUrl: "https://moorage.example", allowedHosts: ["tools.example"] };
    for (const [config, host, origin, status] of [
      [named, "moorage.example", "https://moorage.example", PASSED],
      [named, "tools.example", "https://tools.example", PASSED],
      [named, "tools.example", "https://other.example", 403],
      [named, "tools.example", "http://tools.example:99", 403],
      [{ host: "0.0.0.0" }, "evil.example", "http://evil.example", 403],
      [{ host: "0.0.0.0", allowedHosts: ["*"] }, "evil.example", "http://evil.example", 403],
      [{ host: "127.0.0.1" }, "evil.example", "http://evil.example", 403],
    ] as const) {
      expect([host, origin, await statusOf(start(config), { Host: host, Origin: origin })]).toEqual([
        host,
        origin,
        status,
      ]);
    }
  });
});

describe("a script on an allowed page", () => {
  test("may send the headers that it asks for and read those that the transport needs", async () => {
    const server = start();
    const relay = await server.relay();
    const origin = "http://localhost:6274";
    const asked = "authorization,content-type,mcp-protocol-version,mcp-param-region";
    const preflight = await server.call("OPTIONS", {
      headers: { origin, "access-control-request-method": "POST", "access-control-request-headers": asked },
    });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get("access-control-allow-origin")).toBe(origin);
    expect(preflight.headers.get("access-control-allow-headers")).toBe(asked);
    expect(preflight.headers.get("access-control-allow-methods")).toContain("DELETE");
    const answer = server.rpc(LIST, { headers: { origin } });
    const { id } = await relay.request();
    relay.head(id, 401, [["www-authenticate", "Bearer"]], "", true);
    const response = await answer;
    expect(response.headers.get("access-control-allow-origin")).toBe(origin);
    const exposed = response.headers.get("access-control-expose-headers")?.split(", ");
    for (const name of [
      "mcp-session-id",
      "mcp-protocol-version",
      "www-authenticate",
      "last-event-id",
      "retry-after",
      "x-request-id",
    ]) {
      expect(exposed).toContain(name);
    }
  });

  test("can read errors of this server", async () => {
    const response = await start().rpc(LIST, { headers: { origin: "http://localhost:6274" } });
    expect(response.status).toBe(503);
    expect(response.headers.get("access-control-allow-origin")).toBe("http://localhost:6274");
  });
});

describe("a refusal of this server never looks like the MCP server's:", () => {
  test.each(["/admin", "/mcp/admin", "/..%2fadmin", "/a%5cb", "/%2e%2e%2fadmin", "/a%00b", "/a|b", "/x/%2E%2E%2F"])(
    "a path of %p gets 403 with a JSON-RPC error",
    async (path) => {
      const server = start();
      const relay = await server.relay();
      const response = await server.rpc(LIST, {}, `/api/mcp/id/tools${path}`);
      expect(response.status).toBe(403);
      expect(await response.json()).toMatchObject({
        jsonrpc: "2.0",
        error: { code: -32000, data: { code: "path_not_allowed" } },
      });
      expect(relay.frames.waiting).toBe(0);
    },
  );

  test.each(["/..", "/../tools2", "/%2e%2e/tools2", "//mcp", "/./x"])(
    "a path of %p never leaves the relays' URLs, and gets no 400, 404 or 405",
    async (path) => {
      const status = await statusOf(start(), { Host: "relay.example.com" }, `/api/mcp/id/tools${path}`);
      // The HTTP library resolves such paths first, to another relay or to none.
      expect(status).toBe(path === "/.." ? 404 : path === "/./x" ? 403 : PASSED);
    },
  );

  test.each(["%2e%2e", "%ff", "%E0%A4%A", "a%2fb", "%00", "x".repeat(5000)])(
    "a relay id of %p gets 503",
    async (id) => {
      expect(await statusOf(start(), { Host: "relay.example.com" }, `/api/mcp/id/${id}`)).toBe(PASSED);
    },
  );

  test("a method that no transport uses gets 405 with the allowed ones, at any path", async () => {
    const server = start();
    const relay = await server.relay();
    for (const method of ["PUT", "PATCH", "PROPFIND"]) {
      for (const path of ["/api/mcp/id/tools", "/api/mcp/id/tools/mcp", "/api/mcp/id/nobody"]) {
        const response = await server.call(method, { body: "{}" }, path);
        expect(response.status).toBe(405);
        expect(response.headers.get("allow")).toBe("GET, POST, DELETE, OPTIONS");
        expect(await response.json()).toMatchObject({ jsonrpc: "2.0", error: { code: -32000 } });
      }
    }
    expect(relay.frames.waiting).toBe(0);
  });

  test("too large or too many headers get 431", async () => {
    const server = start();
    expect(await statusOf(server, { Host: "a", "Mcp-Param-X": "x".repeat(20_000) })).toBe(431);
    const many = Object.fromEntries(Array.from({ length: 300 }, (_, at) => [`Mcp-Param-${at}`, "1"]));
    expect(await statusOf(server, { Host: "a", ...many })).toBe(431);
  });

  test("as many headers as the server accepts reach the relay", async () => {
    const server = start();
    const relay = await server.relay();
    const headers = Object.fromEntries(Array.from({ length: 60 }, (_, at) => [`mcp-param-${at}`, "x".repeat(200)]));
    const answer = server.rpc(LIST, { headers });
    const { id, head } = await relay.request();
    expect(Object.fromEntries(head.headers)).toMatchObject(headers);
    relay.head(id, 200, MCP_JSON, "{}", true);
    expect((await answer).status).toBe(200);
  });
});
