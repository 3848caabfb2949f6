import { afterEach, describe, expect, test } from "bun:test";
import { createLog } from "../../../src/system/log.ts";
import { encodeResponse } from "../../../src/wire/frame.ts";
import { eventually } from "../../support/eventually.ts";
import { LegacyWorker } from "../../support/legacy-worker.ts";
import { McpServer } from "../../support/mcp-server.ts";
import { CLIENT_KEY } from "../../support/test-server.ts";
import { startTestWorker } from "../../support/test-worker.ts";

const TOKEN = "8f1c22e07a6b4d39b05f6e1d2c3a4b59";
const LIMIT = 3;
const LIST = { jsonrpc: "2.0", id: 7, method: "tools/list" };

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

const lines: string[] = [];

function start(): McpServer {
  lines.length = 0;
  const log = createLog({ level: "info", format: "json", now: Date.now, write: (line) => void lines.push(line) });
  const server = new McpServer({ authFailuresPerMinute: LIMIT }, { log });
  cleanups.push(() => server.stop());
  return server;
}

/** Connects a real relay of an MCP server that answers like this. */
async function relay(server: McpServer, id: string, answer: () => Response, authToken?: string): Promise<void> {
  const upstream = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: answer });
  cleanups.push(() => upstream.stop(true));
  const worker = startTestWorker({
    server: server.url,
    kinds: ["mcp"],
    id,
    mcpUrl: `http://127.0.0.1:${upstream.port}/mcp`,
    drainTimeoutMs: 0,
    ...(authToken === undefined ? {} : { authToken }),
  });
  cleanups.push(() => worker.stop());
  await worker.registered;
}

const answered = (): Response => Response.json({ jsonrpc: "2.0", id: 7, result: {} });

function ask(server: McpServer, token: string | undefined, id = "tools", from = "198.51.100.7"): Promise<Response> {
  const headers = {
    "x-forwarded-for": from,
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  };
  return server.rpc(LIST, { headers }, `/api/mcp/id/${id}/mcp`);
}

describe("guessing the token of a relay:", () => {
  test("wrong tokens get 429 after the limit, while a right one is let in", async () => {
    const server = start();
    await relay(server, "tools", answered, TOKEN);
    await relay(server, "others", answered, TOKEN);
    for (let guess = 0; guess < LIMIT; guess += 1) {
      const refused = await ask(server, `guess-${guess}`);
      expect([refused.status, refused.headers.get("www-authenticate")]).toEqual([401, 'Bearer error="invalid_token"']);
    }
    const limited = await ask(server, "one-more");
    expect([limited.status, limited.headers.get("retry-after")]).toEqual([429, expect.stringMatching(/^\d+$/)]);
    expect(await limited.json()).toMatchObject({
      jsonrpc: "2.0",
      id: 7,
      error: { data: { code: "too_many_auth_failures" } },
    });

    expect((await ask(server, TOKEN)).status).toBe(200);
    expect((await ask(server, undefined)).status).toBe(401);
    expect((await ask(server, "guess", "others")).status).toBe(401);
    expect((await ask(server, "guess", "tools", "198.51.100.8")).status).toBe(401);
    expect((await server.fetch("/v1/models", { headers: { "x-forwarded-for": "198.51.100.7" } })).status).toBe(200);

    const logged = lines.map((line) => JSON.parse(line)).filter(({ event }) => event === "auth.failed");
    expect(logged[0]).toMatchObject({ address: "198.51.100.7", door: "relay", reason: "wrong_token", count: 1 });
    expect(lines.join()).not.toMatch(/guess-|one-more|8f1c22e0/);
    const { relays } = await server.mcpState();
    expect(relays.find(({ id }) => id === "tools")).toMatchObject({ failures_total: 0, last_error: null });
  });

  test("a 401 of the MCP server itself never counts, whatever headers it has", async () => {
    const server = start();
    const headers = { "www-authenticate": 'Bearer error="invalid_token"', refused: "token" };
    await relay(server, "tools", () => Response.json({ refused: "token" }, { status: 401, headers }));
    for (let each = 0; each < LIMIT + 3; each += 1) expect((await ask(server, `token-${each}`)).status).toBe(401);
    expect(lines.join()).not.toContain("auth.failed");
  });

  test("wrong tokens at a legacy agent count as well", async () => {
    const server = start();
    const agent = new LegacyWorker({
      url: server.url,
      path: "/api/mcp/connect",
      register: { type: undefined, id: "tools", client_key: CLIENT_KEY },
    });
    cleanups.push(() => agent.kill());
    await eventually(async () => (await server.mcpState()).relays_summary.connected === 1, "it is there");
    agent.socket.addEventListener("message", ({ data }: MessageEvent<string>) => {
      const message = JSON.parse(data) as { t?: string; sid?: string };
      if (message.t === "open") agent.send({ t: "open.fail", sid: message.sid, code: "MCP_UNAUTHORIZED", msg: "no" });
    });
    const statuses = [];
    for (let guess = 0; guess <= LIMIT; guess += 1) statuses.push((await ask(server, `guess-${guess}`)).status);
    expect(statuses).toEqual([401, 401, 401, 429]);
    expect((await ask(server, undefined)).status).toBe(401);
  });

  test("a relay that claims wrong tokens has no caller counted who sent none", async () => {
    const server = start();
    const relay = await server.relay({ info: { auth: "oauth" } });
    const head = { status: 401, headers: [["content-type", "application/json"]], refused: "token" } as const;
    const refuse = async (answer: Promise<Response>): Promise<number> => {
      const { id } = await relay.request();
      relay.send(encodeResponse(id, head, Buffer.from("{}"), true));
      return (await answer).status;
    };
    const metadata = `/.well-known/oauth-protected-resource/api/mcp/id/tools/mcp`;
    for (let each = 0; each < LIMIT + 2; each += 1) {
      expect(await refuse(ask(server, undefined))).toBe(401);
      expect(await refuse(server.call("GET", { headers: { authorization: "Bearer x" } }, metadata))).toBe(401);
    }
    expect(lines.join()).not.toContain("auth.failed");
  });
});
