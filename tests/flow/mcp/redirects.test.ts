import { afterEach, describe, expect, test } from "bun:test";
import { createLog } from "../../../src/system/log.ts";
import { McpServer } from "../../support/mcp-server.ts";
import { startTestWorker } from "../../support/test-worker.ts";

const running: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of running.splice(0).reverse()) await each.stop();
});

/** Starts an MCP server with the test's handler, and a relay in front of it. */
async function connect(
  handle: (request: Request) => Response | Promise<Response>,
): Promise<{ readonly server: McpServer; readonly log: string[] }> {
  const server = new McpServer();
  running.push(server);
  const upstream = Bun.serve({ hostname: "127.0.0.1", port: 0, idleTimeout: 0, fetch: handle });
  running.push({ stop: () => upstream.stop(true) });
  const log: string[] = [];
  const relay = startTestWorker(
    {
      kinds: ["mcp"],
      server: server.url,
      id: "tools",
      mcpUrl: `http://127.0.0.1:${upstream.port}/mcp`,
      drainTimeoutMs: 0,
    },
    { log: createLog({ level: "info", format: "json", write: (line) => log.push(line), now: Date.now }) },
  );
  running.push(relay);
  await relay.registered;
  return { server, log };
}

interface Seen {
  readonly path: string;
  readonly bytes: number;
  readonly length: string | null;
}

/** An MCP server that answers at `/mcp/`, and redirects `/mcp` there. */
function slashed(seen: Seen[], redirect: (request: Request) => Response) {
  return async (request: Request): Promise<Response> => {
    const { pathname, search } = new URL(request.url);
    const body = await request.bytes();
    seen.push({ path: pathname + search, bytes: body.length, length: request.headers.get("content-length") });
    if (pathname === "/mcp") return redirect(request);
    if (body.length === 0) return Response.json({ error: "no message" }, { status: 400 });
    return Response.json({ jsonrpc: "2.0", id: 1, result: { bytes: body.length } });
  };
}

const call = (bytes: number): string =>
  JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "write", text: "x".repeat(bytes) } });
const redirectTo = (location: string, status: number) => (): Response =>
  new Response(null, { status, headers: { location } });

describe("an MCP server that redirects to another path of its own", () => {
  test.each([
    ["a relative one", redirectTo("/mcp/", 307)],
    ["a permanent one", redirectTo("/mcp/", 308)],
    ["one of older servers", redirectTo("/mcp/", 301)],
    ["one with its own address", (request: Request) => redirectTo(`${new URL(request.url).origin}/mcp/`, 307)()],
    [
      "one with the scheme of the public URL",
      (request: Request) => redirectTo(`${new URL(request.url).origin.replace("http:", "https:")}/mcp/`, 307)(),
    ],
    [
      "one with the host of the public URL",
      (request: Request) => redirectTo(`https://${request.headers.get("x-forwarded-host")}/mcp/`, 307)(),
    ],
  ])("is called there, with a first call of any size, after %s", async (_what, redirect) => {
    for (const size of [10, 200_000]) {
      const seen: Seen[] = [];
      const { server } = await connect(slashed(seen, redirect));
      for (const bytes of [size, 300_000, 10]) {
        const body = call(bytes);
        const response = await server.rpc(body);
        expect(await response.json()).toMatchObject({ result: { bytes: body.length } });
      }
      // Only the first call, or the question before it, meets the redirect.
      expect(seen.map(({ path }) => path)).toEqual([
        "/mcp",
        "/mcp/",
        ...(size > 10 ? ["/mcp/"] : []),
        "/mcp/",
        "/mcp/",
      ]);
      for (const { bytes, length } of seen) expect(Number(length ?? 0)).toBe(bytes);
    }
  });

  test("gets a small call that comes in chunks at once, and keeps the query of each call", async () => {
    const seen: Seen[] = [];
    const { server } = await connect(
      slashed(seen, (request) => redirectTo(`/mcp/${new URL(request.url).search}`, 307)()),
    );
    const chunks = new ReadableStream({
      start(controller) {
        controller.enqueue(call(10));
        controller.close();
      },
    });
    const response = await server.rpc("", { body: chunks }, "/api/mcp/id/tools/mcp?a=1");
    expect(response.status).toBe(200);
    await server.rpc(call(10), {}, "/api/mcp/id/tools/mcp?b=2");
    expect(seen.map(({ path }) => path)).toEqual(["/mcp?a=1", "/mcp/?a=1", "/mcp/?b=2"]);
  });

  test("stays known when it has no stream to listen to, however many clients ask for one at once", async () => {
    const paths: string[] = [];
    const { server } = await connect(async (request) => {
      const { pathname } = new URL(request.url);
      paths.push(`${request.method} ${pathname}`);
      await request.bytes();
      if (pathname === "/mcp") return redirectTo("/mcp/", 307)();
      return request.method === "GET" ? new Response(null, { status: 405 }) : Response.json({ result: {} });
    });
    expect((await server.rpc(call(1))).status).toBe(200);
    const listening = [1, 2, 3].map(() => server.call("GET", { headers: { accept: "text/event-stream" } }));
    expect((await Promise.all(listening)).map(({ status }) => status)).toEqual([405, 405, 405]);
    expect((await server.rpc(call(200_000))).status).toBe(200);
    expect(paths).toEqual(["POST /mcp", "POST /mcp/", "GET /mcp/", "GET /mcp/", "GET /mcp/", "POST /mcp/"]);
  });

  test("is looked for again when it has gone back to its first path", async () => {
    let isSlashed = true;
    const paths: string[] = [];
    const { server } = await connect((request) => {
      const { pathname } = new URL(request.url);
      paths.push(pathname);
      if ((pathname === "/mcp/") !== isSlashed) {
        return isSlashed ? redirectTo("/mcp/", 307)() : Response.json({ detail: "Not Found" }, { status: 404 });
      }
      return Response.json({ jsonrpc: "2.0", id: 1, result: {} });
    });
    expect((await server.rpc(call(1))).status).toBe(200);
    isSlashed = false;
    expect((await server.rpc(call(1))).status).toBe(404);
    expect((await server.rpc(call(1))).status).toBe(200);
    expect(paths).toEqual(["/mcp", "/mcp/", "/mcp/", "/mcp"]);
  });
});

describe("an MCP server that redirects anywhere else", () => {
  test.each([
    ["another host", 307, "http://127.0.0.2:9/mcp?token=secret"],
    ["itself under https", 308, "https:/mcp"],
    ["a page to sign in", 302, "/login"],
    ["nowhere", 307, undefined],
    ["itself", 307, "/mcp"],
  ])("to %s gives 502 with a reason, and one line in the relay's log", async (_what, status, location) => {
    let asked = 0;
    const { server, log } = await connect((request) => {
      asked += 1;
      expect(new URL(request.url).pathname).toBe("/mcp");
      const target = location?.startsWith("https:/") ? request.url.replace("http:", "https:") : location;
      return new Response(null, { status, headers: target === undefined ? {} : { location: target } });
    });
    for (const bytes of [10, 200_000]) {
      const response = await server.rpc(call(bytes));
      expect(response.status).toBe(502);
      expect(response.headers.get("location")).toBeNull();
      const { id, error } = (await response.json()) as { id: number; error: { message: string; data: object } }; // the server's own error
      expect(id).toBe(1);
      expect(error.data).toMatchObject({ code: "upstream_error" });
      expect(error.message).toContain("redirects to another address");
      expect(error.message).not.toContain("model server");
    }
    expect(asked).toBeGreaterThanOrEqual(2);
    const lines = log.filter((line) => line.includes("upstream.redirects"));
    expect(lines).toHaveLength(1);
    expect(lines[0]).not.toContain("secret");
  });

  test("in a circle gives 502", async () => {
    const { server } = await connect((request) =>
      redirectTo(new URL(request.url).pathname === "/mcp" ? "/mcp/" : "/mcp", 307)(),
    );
    expect((await server.rpc(call(10))).status).toBe(502);
  });

  test("to a sign-in page does not make the relay take that page for the MCP server", async () => {
    let isSignedIn = false;
    const { server } = await connect((request) => {
      const { pathname } = new URL(request.url);
      if (pathname === "/login") return new Response("<html>", { headers: { "content-type": "text/html" } });
      return isSignedIn ? Response.json({ jsonrpc: "2.0", id: 1, result: {} }) : redirectTo("/login", 307)();
    });
    expect(await (await server.rpc(call(10))).text()).toBe("<html>");
    isSignedIn = true;
    expect(await (await server.rpc(call(10))).json()).toMatchObject({ result: {} });
  });
});

describe("a request that is redirected", () => {
  test.each([
    ["because of its query", "POST", "?next=/admin"],
    ["because it is a GET", "GET", ""],
  ])("%s takes no other call there", async (_what, method, query) => {
    const paths: string[] = [];
    const { server } = await connect(async (request) => {
      const { pathname, search } = new URL(request.url);
      paths.push(`${request.method} ${pathname}`);
      await request.bytes();
      const isMoved = pathname === "/mcp" && (search !== "" || request.method === "GET");
      return isMoved ? redirectTo("/admin", 307)() : Response.json({ jsonrpc: "2.0", id: 1, result: {} });
    });
    const url = `/api/mcp/id/tools/mcp${query}`;
    const first = method === "GET" ? server.call("GET") : server.rpc(call(1), {}, url);
    expect((await first).status).toBe(200);
    expect((await server.rpc(call(1))).status).toBe(200);
    expect(paths).toEqual([`${method} /mcp`, `${method} /admin`, "POST /mcp"]);
  });
});
