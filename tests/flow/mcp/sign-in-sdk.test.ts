import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import {
  Client,
  StreamableHTTPClientTransport,
  UnauthorizedError,
  type VersionNegotiationMode,
} from "@modelcontextprotocol/client";
import type { OAuthClientProvider as ProviderV1 } from "@modelcontextprotocol/sdk/client/auth.js";
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as TransportV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import { type ConnectorRig, startConnectorRig } from "../../support/connector-rig.ts";
import { McpSignIn } from "../../support/mcp-sign-in.ts";

// Both official SDKs sign in to a connector relay with no more than its URL: they are refused, find the authorization server,
// register, send their user to the consent page, and get tokens. The user is scripted.

let rig: ConnectorRig;
beforeAll(async () => {
  rig = await startConnectorRig();
});
afterAll(() => rig.stop());

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const client of open.splice(0)) await client.close();
});

const MODERN = "2026-07-28";
const ERAS: readonly (readonly [name: string, mode: VersionNegotiationMode, version: string])[] = [
  ["2026 era", { pin: MODERN }, MODERN],
  ["2025 era", "legacy", "2025-11-25"],
  ["era that is found out", "auto", MODERN],
];

function createClient(mode: VersionNegotiationMode): Client {
  return new Client({ name: "test", version: "1" }, { versionNegotiation: { mode } });
}

/** Signs in as the SDK's documentation says, and returns a client that is connected. */
async function signedIn(account: McpSignIn, mode: VersionNegotiationMode, url = rig.url): Promise<Client> {
  const transport = new StreamableHTTPClientTransport(url, { authProvider: account });
  await expect(createClient(mode).connect(transport)).rejects.toThrow(UnauthorizedError);
  await transport.finishAuth(account.answer);
  return connect(account, createClient(mode), url);
}

async function connect(account: McpSignIn, client: Client, url = rig.url): Promise<Client> {
  open.push(client);
  await client.connect(new StreamableHTTPClientTransport(url, { authProvider: account }));
  return client;
}

const echo = { name: "smoke_echo", arguments: { text: "ahoy ⚓" } };
const ECHOED = { content: [{ type: "text", text: "ahoy ⚓" }] };

describe("the official SDK", () => {
  test.each(ERAS)("v2 signs in and calls a tool, in the %s", async (_name, mode, version) => {
    const account = new McpSignIn({ key: rig.key });
    const client = await signedIn(account, mode);
    expect(client.getNegotiatedProtocolVersion()).toBe(version);
    expect(await client.callTool(echo)).toMatchObject(ECHOED);
    expect(account.granted).toEqual([
      expect.objectContaining({ token_type: expect.stringMatching(/^bearer$/i), refresh_token: expect.any(String) }),
    ]);
    expect(account.asked[0]?.searchParams.get("resource")).toBe(rig.url.href);
    expect(account.answer.get("iss")).toBe(rig.server.url);
  });

  test("v1 signs in and calls a tool", async () => {
    const account = new McpSignIn({ key: rig.key });
    // Both SDKs ask their host for the same things; only the types of what they store differ in name.
    const authProvider = account as ProviderV1;
    const transport = new TransportV1(rig.url, { authProvider });
    await expect(new ClientV1({ name: "test", version: "1" }).connect(transport as Transport)).rejects.toThrow();
    await transport.finishAuth(account.answer.get("code") ?? "");
    const client = new ClientV1({ name: "test", version: "1" });
    open.push(client);
    await client.connect(new TransportV1(rig.url, { authProvider }) as Transport);
    expect(await client.callTool(echo)).toMatchObject(ECHOED);
  });

  test("signs in by the shorter URL of a relay as well", async () => {
    const url = new URL(rig.url.href.replace(/\/mcp$/, ""));
    const client = await signedIn(new McpSignIn({ key: rig.key }), "auto", url);
    expect(await client.callTool(echo)).toMatchObject(ECHOED);
  });

  test.each(ERAS)(
    "v2 gets a new token by itself when the first is no longer accepted, in the %s",
    async (_name, mode) => {
      const account = new McpSignIn({ key: rig.key });
      const { tools } = await (await signedIn(account, mode)).listTools();
      account.spoilAccessToken();
      const client = await connect(account, createClient(mode));
      expect((await client.listTools()).tools).toEqual(tools);
      expect(await client.callTool(echo)).toMatchObject(ECHOED);
      // The user is not asked again.
      expect(account.asked).toHaveLength(1);
      expect(account.granted).toHaveLength(2);
      expect(account.granted[1]?.refresh_token).not.toBe(account.granted[0]?.refresh_token);
    },
  );

  test("registers with a secret if it wants to, and signs in with it", async () => {
    const account = new McpSignIn({ key: rig.key }, { token_endpoint_auth_method: "client_secret_post" });
    const client = await signedIn(account, "auto");
    expect(account.clientInformation()?.client_secret).toBeString();
    expect(await client.callTool(echo)).toMatchObject(ECHOED);
  });

  test("is told that its user has refused", async () => {
    const account = new McpSignIn({ key: rig.key, denies: true });
    const transport = new StreamableHTTPClientTransport(rig.url, { authProvider: account });
    await expect(new Client({ name: "test", version: "1" }).connect(transport)).rejects.toThrow(UnauthorizedError);
    expect(account.answer.get("error")).toBe("access_denied");
    expect(account.answer.get("code")).toBeNull();
    expect(account.granted).toEqual([]);
  });

  test("never gets past the page with a wrong key", async () => {
    const account = new McpSignIn({ key: "a-wrong-key" });
    const transport = new StreamableHTTPClientTransport(rig.url, { authProvider: account });
    await expect(new Client({ name: "test", version: "1" }).connect(transport)).rejects.toThrow();
    expect(account.callback).toBeUndefined();
    expect(account.granted).toEqual([]);
  });

  test("needs no sign-in with a key as its bearer token", async () => {
    const client = createClient("auto");
    open.push(client);
    const requestInit = { headers: { authorization: `Bearer ${rig.key}` } };
    await client.connect(new StreamableHTTPClientTransport(rig.url, { requestInit }));
    expect(await client.callTool(echo)).toMatchObject(ECHOED);
  });
});
