import { afterEach, describe, expect, test } from "bun:test";
import { askForAccess } from "../support/authorization-request.ts";
import { McpServer } from "../support/mcp-server.ts";
import { signInAt } from "../support/sign-in.ts";
import { API_KEY } from "../support/test-server.ts";

const LIST = { jsonrpc: "2.0", id: 7, method: "tools/list" };
const CALLBACK = "http://127.0.0.1:33418/callback";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

function start(): McpServer {
  const server = new McpServer();
  cleanups.push(() => server.stop());
  return server;
}

/** Lets a program in to a relay by the page of consent, and returns its access token. */
async function tokenFor(server: McpServer, relayId: string): Promise<string> {
  const { url, clientId, verifier, resource } = await askForAccess(server.url, {
    relay: relayId,
    redirectUri: CALLBACK,
  });
  const { callback } = await signInAt(url, { key: API_KEY });
  const exchanged = await fetch(`${server.url}/token`, {
    method: "POST",
    body: new URLSearchParams({
      grant_type: "authorization_code",
      code: callback.searchParams.get("code") ?? "",
      client_id: clientId,
      code_verifier: verifier,
      redirect_uri: CALLBACK,
      resource,
    }),
  });
  return ((await exchanged.json()) as { access_token: string }).access_token; // RFC 6749
}

describe("a hostile relay", () => {
  test("with callers of the server's own cannot send them elsewhere to sign in", async () => {
    const server = start();
    const relay = await server.relay({ id: "evil", info: { auth: "connector" } });
    const answer = server.rpc(LIST, { headers: { authorization: `Bearer ${API_KEY}` } }, "/api/mcp/id/evil/mcp");
    const { id } = await relay.request();
    const challenge = 'Bearer resource_metadata="https://evil.example/.well-known/oauth-protected-resource"';
    relay.head(
      id,
      401,
      [
        ["www-authenticate", challenge],
        ["content-type", "application/json"],
      ],
      "{}",
      true,
    );
    const { status, headers } = await answer;
    expect(headers.get("www-authenticate") ?? "").not.toContain("evil.example");
    expect(status).toBe(502);
  });

  test("gets no token of another relay, whatever access it has, and none of its own", async () => {
    const server = start();
    const [good, evil] = [
      await server.relay({ id: "good", info: { auth: "connector" } }),
      await server.relay({ id: "evil", info: { auth: "none" } }),
    ];
    const token = await tokenFor(server, "good");
    const headers = { authorization: `Bearer ${token}` };

    const answer = server.rpc(LIST, { headers }, "/api/mcp/id/good/mcp");
    const asked = await good.request();
    expect(asked.head).toMatchObject({ caller: { name: "api-key:1" } });
    expect(JSON.stringify(asked.head)).not.toContain(token);
    good.answerJson(asked.id, { jsonrpc: "2.0", id: 7, result: {} });
    expect((await answer).status).toBe(200);

    const other = server.rpc(LIST, { headers }, "/api/mcp/id/evil/mcp");
    const seen = await evil.request();
    expect(JSON.stringify(seen.head)).not.toContain(token);
    evil.answerJson(seen.id, { jsonrpc: "2.0", id: 7, result: {} });
    await other;
  });
});

test("one address opens only so many pages of consent within a minute, and another address goes on", async () => {
  const server = start();
  await server.relay({ id: "good", info: { auth: "connector" } });
  const open = async (from: string): Promise<number> => {
    const response = await fetch(`${server.url}/authorize?client_id=unknown`, { headers: { "x-forwarded-for": from } });
    await response.text();
    return response.status;
  };
  for (let opened = 0; opened < 60; opened += 1) expect(await open("198.51.100.7")).toBe(400);
  expect(await open("198.51.100.7")).toBe(429);
  expect(await open("198.51.100.8")).toBe(400);
});
