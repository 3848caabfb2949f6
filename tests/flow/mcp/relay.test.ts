import { afterEach, describe, expect, test } from "bun:test";
import { gzipSync } from "node:zlib";
import type { Deps } from "../../../src/system/deps.ts";
import type { Config } from "../../support/default-config.ts";
import { eventually } from "../../support/eventually.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { McpServer } from "../../support/mcp-server.ts";
import { startTestWorker } from "../../support/test-worker.ts";

const running: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of running.splice(0).reverse()) await each.stop();
});

/** Starts a server, an MCP server with the test's handler, and the real worker program's relay between them. */
async function connect(
  handle: (request: Request) => Response | Promise<Response>,
  { base = "/mcp", ...settings }: { readonly authToken?: string; readonly base?: string } = {},
  config: Partial<Config> = {},
  deps: Partial<Deps> = {},
): Promise<McpServer> {
  const server = new McpServer(config, deps);
  running.push(server);
  const upstream = Bun.serve({ hostname: "127.0.0.1", port: 0, idleTimeout: 0, fetch: handle });
  running.push({ stop: () => upstream.stop(true) });
  const relay = startTestWorker({
    kinds: ["mcp"],
    server: server.url,
    id: "tools",
    mcpUrl: `http://127.0.0.1:${upstream.port}${base}`,
    // The transport is set because probing it would be another request.
    mcpTransport: "http",
    drainTimeoutMs: 0,
    ...settings,
  });
  running.push(relay);
  await relay.registered;
  return server;
}

const LIST = { jsonrpc: "2.0", id: 1, method: "tools/list" };

describe("a relay in front of an MCP server", () => {
  test("passes requests and answers on unchanged, except for hop-by-hop and credential headers", async () => {
    let seen: { readonly url: string; readonly headers: Headers; readonly body: string } | undefined;
    const server = await connect(async (request) => {
      seen = { url: request.url, headers: request.headers, body: await request.text() };
      return Response.json(
        { ok: true },
        { status: 404, headers: { "mcp-session-id": "s", "set-cookie": "a=b", "x-powered-by": "x" } },
      );
    });
    const response = await server.rpc(LIST, {
      headers: { authorization: "Bearer of-somebody", "mcp-protocol-version": "2025-11-25" },
    });
    expect(new URL(seen?.url ?? "").pathname).toBe("/mcp");
    expect(seen?.body).toBe(JSON.stringify(LIST));
    expect(seen?.headers.get("mcp-protocol-version")).toBe("2025-11-25");
    expect(seen?.headers.get("authorization")).toBeNull();
    expect(response.status).toBe(404);
    expect(await response.json()).toEqual({ ok: true });
    expect(response.headers.get("mcp-session-id")).toBe("s");
    expect(response.headers.get("x-powered-by")).toBeNull();
  });

  test("streams events as they arrive, and the MCP server notices a client's disconnect", async () => {
    const gone = Promise.withResolvers<void>();
    const server = await connect((request) => {
      request.signal.addEventListener("abort", () => gone.resolve());
      const stream = new ReadableStream({ start: (controller) => controller.enqueue("data: 1\n\n") });
      return new Response(stream, { headers: { "content-type": "text/event-stream" } });
    });
    const abort = new AbortController();
    const response = await server.call("GET", { headers: { accept: "text/event-stream" }, signal: abort.signal });
    const reader = (response.body ?? expect.unreachable()).getReader();
    let text = "";
    while (!text.includes("data: 1\n\n")) text += new TextDecoder().decode((await reader.read()).value);
    abort.abort();
    await gone.promise;
    await eventually(async () => (await server.mcpState()).relays_summary.streams_open === 0, "the stream is closed");
  });

  test("gives 502 if that server is down", async () => {
    const server = new McpServer();
    running.push(server);
    const relay = startTestWorker({
      kinds: ["mcp"],
      server: server.url,
      id: "tools",
      mcpUrl: "http://127.0.0.1:1/mcp",
    });
    running.push(relay);
    await relay.registered;
    const response = await server.rpc(LIST);
    expect(response.status).toBe(502);
    expect(await response.json()).toMatchObject({ id: 1, error: { data: { code: "upstream_unreachable" } } });
  });

  test.each(["/mcp", ""])("is called at its endpoint only, whether its URL has a path or not", async (base) => {
    const paths: string[] = [];
    const server = await connect(
      (request) => {
        const { pathname, search } = new URL(request.url);
        paths.push(pathname + search);
        return new Response(null, { status: 202 });
      },
      { base },
    );
    for (const path of ["", "/", "/mcp", "/mcp/", "/mcp?a=b", "?a=b%23"]) {
      expect((await server.call("POST", { body: "{}" }, `/api/mcp/id/tools${path}`)).status).toBe(202);
    }
    const endpoint = base || "/";
    expect(paths).toEqual([endpoint, endpoint, endpoint, endpoint, `${endpoint}?a=b`, `${endpoint}?a=b%23`]);
    for (const path of [
      "/admin",
      "/admin/users?drop=1",
      "/mcp/admin",
      "/messages",

      "/..%2fadmin",
      "/a%5cb",
    ]) {
      for (const method of ["GET", "POST", "DELETE"]) {
        const response = await server.call(method, method === "POST" ? { body: "{}" } : {}, `/api/mcp/id/tools${path}`);
        expect(`${method} ${path} ${response.status}`).toBe(`${method} ${path} 403`);
      }
    }
    expect(paths).toHaveLength(6);
  });
});

describe("an MCP server that compresses without being asked to", () => {
  const RESULT = '{"jsonrpc":"2.0","id":1,"result":{"tools":[]}}';

  test("is read by clients as any other: its encoding goes with its answer", async () => {
    const packed = gzipSync(RESULT);
    const server = await connect(
      () => new Response(packed, { headers: { "content-type": "application/json", "content-encoding": "gzip" } }),
    );
    expect(await (await server.rpc(LIST)).text()).toBe(RESULT);
    const raw = await server.rpc(LIST, { decompress: false });
    expect(raw.headers.get("content-encoding")).toBe("gzip");
    expect(Buffer.from(await raw.bytes())).toEqual(packed);
  });

  test("has nothing put into its event stream, however long that is quiet", async () => {
    const event = `data: ${RESULT}\n\n`;
    const packed = gzipSync(event);
    const clock = new FakeClock();
    const quiet = Promise.withResolvers<void>();
    const server = await connect(
      () => {
        const stream = new ReadableStream({
          async start(controller) {
            controller.enqueue(packed.subarray(0, 10));
            await quiet.promise;
            controller.enqueue(packed.subarray(10));
            controller.close();
          },
        });
        return new Response(stream, { headers: { "content-type": "text/event-stream", "content-encoding": "gzip" } });
      },
      {},
      { keepaliveIntervalMs: 30 },
      { clock },
    );
    const raw = await server.rpc(LIST, { decompress: false });
    expect(raw.headers.get("content-encoding")).toBe("gzip");
    clock.advance(300);
    quiet.resolve();
    expect(Buffer.from(await raw.bytes())).toEqual(packed);
    expect(await (await server.rpc(LIST)).text()).toBe(event);
  });
});

describe("a relay with a token", () => {
  test("accepts callers with it, and does not pass it on", async () => {
    let authorization: string | null | undefined;
    const server = await connect(
      (request) => {
        authorization = request.headers.get("authorization");
        return Response.json({ ok: true });
      },
      { authToken: "open-sesame" },
    );
    const response = await server.rpc(LIST, { headers: { authorization: "bearer open-sesame" } });
    expect(response.status).toBe(200);
    expect(authorization).toBeNull();
  });

  test.each([
    ["none", {}, "Bearer"],
    ["a wrong one", { authorization: "Bearer nonsense" }, 'Bearer error="invalid_token"'],
    ["another scheme", { authorization: "Basic b3Blbi1zZXNhbWU=" }, "Bearer"],
  ])("answers 401 with a challenge to %s", async (_what, headers, challenge) => {
    const server = await connect(() => expect.unreachable(), { authToken: "open-sesame" });
    const response = await server.rpc(LIST, { headers: headers as Record<string, string> }); // a union of such records
    expect(response.status).toBe(401);
    expect(response.headers.get("www-authenticate")).toBe(challenge);
    expect(await response.json()).toMatchObject({ error: { data: { mcp: "MCP_UNAUTHORIZED" } } });
  });
});
