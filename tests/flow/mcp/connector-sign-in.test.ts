import { afterEach, expect, test } from "bun:test";
import { Client, type OAuthClientProvider, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { startFixture } from "../../support/mcp-rig.ts";
import { McpServer } from "../../support/mcp-server.ts";
import { signInAt } from "../../support/sign-in.ts";
import { API_KEY } from "../../support/test-server.ts";
import { startTestWorker } from "../../support/test-worker.ts";

const running: { stop(): unknown }[] = [];
afterEach(async () => {
  for (const each of running.splice(0).reverse()) await each.stop();
});

const REDIRECT_URL = "http://127.0.0.1:33419/callback";

/** Keeps in memory what the official client keeps for one person, and remembers where the browser was sent. */
class Kept implements OAuthClientProvider {
  authorizationUrl: URL | undefined;
  saved: Awaited<ReturnType<OAuthClientProvider["tokens"]>>;
  #client: Awaited<ReturnType<OAuthClientProvider["clientInformation"]>>;
  #verifier = "";

  readonly redirectUrl = REDIRECT_URL;
  readonly clientMetadata = {
    client_name: "Flow test",
    redirect_uris: [REDIRECT_URL],
    grant_types: ["authorization_code", "refresh_token"],
    response_types: ["code"],
    token_endpoint_auth_method: "none",
  };

  clientInformation() {
    return this.#client;
  }

  saveClientInformation(client: NonNullable<Awaited<ReturnType<OAuthClientProvider["clientInformation"]>>>): void {
    this.#client = client;
  }

  tokens() {
    return this.saved;
  }

  saveTokens(tokens: NonNullable<Kept["saved"]>): void {
    this.saved = tokens;
  }

  redirectToAuthorization(url: URL): void {
    this.authorizationUrl = url;
  }

  saveCodeVerifier(verifier: string): void {
    this.#verifier = verifier;
  }

  codeVerifier(): string {
    return this.#verifier;
  }
}

async function start(): Promise<URL> {
  const fixture = await startFixture();
  const server = new McpServer();
  running.push(fixture, server);
  const relay = startTestWorker({
    kinds: ["mcp"],
    server: server.url,
    id: "tools",
    mcpUrl: fixture.url,
    mcpAccess: "connector",
    drainTimeoutMs: 0,
  });
  running.push(relay);
  await relay.registered;
  return new URL(`${server.url}/api/mcp/id/tools/mcp`);
}

test.each(["2025", "2026"])(
  "the official client of the era %s gets from a 401 to a call, and refreshes",
  async (era) => {
    const url = await start();
    const provider = new Kept();
    const transport = (): StreamableHTTPClientTransport =>
      new StreamableHTTPClientTransport(url, { authProvider: provider });
    const client = (): Client =>
      new Client(
        { name: "flow", version: "1" },
        era === "2026" ? { versionNegotiation: { mode: { pin: "2026-07-28" } } } : {},
      );
    const first = transport();
    await expect(client().connect(first)).rejects.toThrow(/unauthorized/i);
    const { callback, pages } = await signInAt(provider.authorizationUrl ?? "", { key: API_KEY });
    expect(pages[0]).toContain("Flow test");
    expect(callback.origin + callback.pathname).toBe(REDIRECT_URL);
    await first.finishAuth(callback.searchParams);

    const signedIn = client();
    await signedIn.connect(transport());
    const { tools } = await signedIn.listTools();
    expect(tools.length).toBeGreaterThan(3);
    await signedIn.close();

    // A token that is not valid any more is refreshed without a person.
    const before = provider.saved;
    provider.saved = { ...before, access_token: "x", token_type: "bearer" };
    const later = client();
    await later.connect(transport());
    expect((await later.listTools()).tools).toEqual(tools);
    expect(provider.saved?.access_token).not.toBe("x");
    expect(provider.saved?.refresh_token).not.toBe(before?.refresh_token);
    await later.close();
  },
  30_000,
);
