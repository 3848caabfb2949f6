import { afterEach, describe, expect, test } from "bun:test";
import { METADATA_PATH } from "../../../src/wire/mcp-metadata.ts";
import type { Config } from "../../support/default-config.ts";
import { McpServer } from "../../support/mcp-server.ts";
import { startOauthRelay } from "../../support/oauth-relay.ts";
import { CLIENT_KEY } from "../../support/test-server.ts";

const running: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of running.splice(0).reverse()) await each.stop();
});

interface Seen {
  readonly path: string;
  readonly authorization: string | null;
}

interface Setup {
  readonly auth?: "oauth" | "none";
  readonly config?: Partial<Config>;
  /** Answers by path; any other path gets 404. */
  readonly documents?: Readonly<Record<string, unknown>>;
  /** The MCP server's `WWW-Authenticate` for callers without a bearer token. */
  readonly challenge?: (origin: string) => string;
}

/** Starts an MCP server that requires OAuth tokens, its relay and a public server, and records the MCP server's requests. */
async function connect({ auth = "oauth", config = {}, documents = {}, challenge }: Setup): Promise<{
  readonly server: McpServer;
  readonly origin: string;
  readonly seen: Seen[];
}> {
  const server = new McpServer(config);
  running.push(server);
  const seen: Seen[] = [];
  const upstream = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request): Response {
      const { pathname, origin } = new URL(request.url);
      const authorization = request.headers.get("authorization");
      seen.push({ path: pathname, authorization });
      if (pathname !== "/mcp") {
        const document = documents[pathname];
        if (document === undefined) return new Response("<html>not here</html>", { status: 404 });
        return typeof document === "string" ? new Response(document) : Response.json(document);
      }
      if (authorization !== null) return Response.json({ jsonrpc: "2.0", id: 1, result: {} });
      return new Response(null, { status: 401, headers: { "www-authenticate": challenge?.(origin) ?? "Bearer" } });
    },
  });
  running.push({ stop: () => upstream.stop(true) });
  const origin = `http://127.0.0.1:${upstream.port}`;
  const relay = startOauthRelay({ server: server.url, clientKey: CLIENT_KEY, upstream: `${origin}/mcp`, auth });
  running.push(relay);
  await relay.registered;
  return { server, origin, seen };
}

const DOCUMENT = {
  resource: "http://127.0.0.1/mcp",
  authorization_servers: ["https://login.example"],
  scopes_supported: ["mcp"],
  signed_metadata: "e30.e30.",
};
const CALL = { jsonrpc: "2.0", id: 1, method: "tools/list" };
const metadataOf = (server: McpServer, path: string, headers: Record<string, string> = {}): Promise<Response> =>
  server.call("GET", { headers }, `${METADATA_PATH}${path}`);

describe("the OAuth metadata of a relay whose MCP server does the sign-in", () => {
  test.each(["", "/mcp"])("are those of the MCP server, for the URL that the client calls (with %p)", async (alias) => {
    const { server, seen } = await connect({ documents: { [`${METADATA_PATH}/mcp`]: DOCUMENT } });
    const response = await metadataOf(server, `/api/mcp/id/tools${alias}`, { authorization: "Bearer of-somebody" });
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toContain("application/json");
    expect(response.headers.get("cache-control")).toBe("no-store");
    const { signed_metadata: _, ...rest } = DOCUMENT;
    expect(await response.json()).toEqual({ ...rest, resource: `${server.url}/api/mcp/id/tools${alias}` });
    expect(seen).toEqual([{ path: `${METADATA_PATH}/mcp`, authorization: null }]);
  });

  test("are taken from the MCP server's root if its path has none or invalid ones", async () => {
    for (const wrong of [undefined, "<html>a page for every path</html>", [1]]) {
      const documents = { [METADATA_PATH]: DOCUMENT, ...(wrong ? { [`${METADATA_PATH}/mcp`]: wrong } : {}) };
      const { server, seen } = await connect({ documents });
      const response = await metadataOf(server, "/api/mcp/id/tools");
      expect(await response.json()).toMatchObject({ authorization_servers: ["https://login.example"] });
      // In between, the relay asks the MCP server for a challenge, which could name another place.
      expect(seen.map(({ path }) => path)).toEqual([`${METADATA_PATH}/mcp`, "/mcp", METADATA_PATH]);
    }
  });

  test.each([
    ["its own origin", (origin: string) => `${origin}/oauth/resource.json`, "/oauth/resource.json"],
    ["its public URL", () => `https://public.example${METADATA_PATH}/api/tools`, `${METADATA_PATH}/api/tools`],
  ])("are found where the MCP server's challenge says, under %s", async (_what, placeOf, path) => {
    const { server, seen } = await connect({
      documents: { [path]: DOCUMENT, [METADATA_PATH]: { resource: "of another resource" } },
      challenge: (origin) => `Bearer scope="x", resource_metadata="${placeOf(origin)}"`,
    });
    for (const _ of [1, 2]) {
      const response = await metadataOf(server, "/api/mcp/id/tools");
      expect(await response.json()).toMatchObject({ authorization_servers: ["https://login.example"] });
    }
    // The place is remembered, and nobody's bearer token goes there.
    expect(seen.map(({ path: each }) => each)).toEqual([`${METADATA_PATH}/mcp`, "/mcp", path, path]);
    expect(seen.every(({ authorization }) => authorization === null)).toBe(true);
  });

  test("are never fetched from another origin, whatever a challenge says", async () => {
    let asked = 0;
    const other = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => Response.json({ asked: ++asked }) });
    running.push({ stop: () => other.stop(true) });
    const { server } = await connect({
      challenge: () => `Bearer resource_metadata="http://127.0.0.1:${other.port}/secrets"`,
    });
    expect((await metadataOf(server, "/api/mcp/id/tools")).status).toBe(404);
    expect(asked).toBe(0);
  });

  test("are a JSON 404 if the MCP server has none, or endless ones", async () => {
    for (const documents of [{}, { [METADATA_PATH]: { resource: "x".repeat(300_000) } }]) {
      const { server } = await connect({ documents });
      const response = await metadataOf(server, "/api/mcp/id/tools");
      expect(response.status).toBe(404);
      expect(await response.json()).toHaveProperty("error");
    }
  });

  test("name the configured public URL, whatever the request's Host is", async () => {
    const { server } = await connect({
      config: { publicUrl: "https://moorage.example" },
      documents: { [METADATA_PATH]: DOCUMENT },
    });
    const headers = { "x-forwarded-host": "evil.example" };
    expect(await (await metadataOf(server, "/api/mcp/id/tools", headers)).json()).toMatchObject({
      resource: "https://moorage.example/api/mcp/id/tools",
    });
  });

  test("name the URL that a trusted proxy reports, and no other", async () => {
    const headers = { "x-forwarded-host": "tools.example", "x-forwarded-proto": "https" };
    for (const [trustedProxies, origin] of [
      [["127.0.0.1"], "https://tools.example"],
      [[], undefined],
    ] as const) {
      const { server } = await connect({ config: { trustedProxies }, documents: { [METADATA_PATH]: DOCUMENT } });
      expect(await (await metadataOf(server, "/api/mcp/id/tools", headers)).json()).toMatchObject({
        resource: `${origin ?? server.url}/api/mcp/id/tools`,
      });
    }
  });
});

describe("a challenge of an MCP server that does the sign-in", () => {
  test("points to metadata that the client can reach, and is otherwise unchanged", async () => {
    const { server } = await connect({
      challenge: (origin) =>
        `Bearer error="invalid_token", error_description="see resource_metadata=\\"here\\"", resource_metadata="${origin}${METADATA_PATH}/mcp", scope="mcp:tools"`,
    });
    const response = await server.rpc(CALL, {}, "/api/mcp/id/tools/mcp");
    expect(response.status).toBe(401);
    expect(response.headers.get("www-authenticate")).toBe(
      `Bearer error="invalid_token", error_description="see resource_metadata=\\"here\\"", resource_metadata="${server.url}${METADATA_PATH}/api/mcp/id/tools/mcp", scope="mcp:tools"`,
    );
  });

  test("leads a client through the metadata to a call with a token", async () => {
    const { server } = await connect({
      documents: { [`${METADATA_PATH}/mcp`]: DOCUMENT },
      challenge: (origin) => `Bearer resource_metadata="${origin}${METADATA_PATH}/mcp"`,
    });
    const refused = await server.rpc(CALL);
    const place = /resource_metadata="([^"]+)"/.exec(refused.headers.get("www-authenticate") ?? "")?.[1] ?? "";
    const { resource } = (await (await fetch(place)).json()) as { resource: string }; // the document above
    const answer = await fetch(resource, {
      method: "POST",
      body: JSON.stringify(CALL),
      headers: { authorization: "Bearer issued-for-it", "content-type": "application/json" },
    });
    expect(answer.status).toBe(200);
  });
});

describe("a caller's bearer token", () => {
  test("reaches an MCP server that issues its own tokens, unchanged", async () => {
    const { server, seen } = await connect({});
    expect((await server.rpc(CALL, { headers: { authorization: "bearer ey.J0.x-_~+/=" } })).status).toBe(200);
    expect(seen).toEqual([{ path: "/mcp", authorization: "Bearer ey.J0.x-_~+/=" }]);
  });

  test("reaches no other MCP server", async () => {
    const { server, seen } = await connect({ auth: "none" });
    expect((await server.rpc(CALL, { headers: { authorization: "Bearer of-somebody" } })).status).toBe(401);
    expect(seen).toEqual([{ path: "/mcp", authorization: null }]);
  });
});

describe("without OAuth,", () => {
  test("a relay has no metadata, and its MCP server is not asked", async () => {
    const { server, seen } = await connect({ auth: "none", documents: { [METADATA_PATH]: DOCUMENT } });
    const response = await metadataOf(server, "/api/mcp/id/tools");
    expect(response.status).toBe(404);
    expect(response.headers.get("content-type")).toContain("application/json");
    expect(seen).toEqual([]);
  });

  test("the other metadata paths of clients get a JSON 404, never a page", async () => {
    const { server } = await connect({ auth: "none" });
    for (const path of [
      METADATA_PATH,
      "/.well-known/oauth-authorization-server",
      "/.well-known/oauth-authorization-server/api/mcp/id/tools",
      "/.well-known/openid-configuration",
      "/.well-known/openid-configuration/api/mcp/id/tools",
      `${METADATA_PATH}/api/mcp/id/tools/more`,
      "/register",
      "/authorize",
      "/token",
    ]) {
      for (const method of ["GET", "POST"]) {
        const headers = { accept: "text/html,*/*" };
        const response = await server.call(method, { headers, ...(method === "POST" ? { body: "{}" } : {}) }, path);
        expect(`${method} ${path} ${response.status}`).toBe(`${method} ${path} 404`);
        expect(response.headers.get("content-type")).toContain("application/json");
      }
    }
  });

  test("a missing relay gets 503, because its answer is unknown", async () => {
    const { server } = await connect({});
    const response = await metadataOf(server, "/api/mcp/id/nobody");
    expect(response.status).toBe(503);
    expect(response.headers.get("retry-after")).not.toBeNull();
  });
});
