import { afterEach, describe, expect, test } from "bun:test";
import { authorizationRequest } from "../../support/authorization-request.ts";
import { eventually } from "../../support/eventually.ts";
import { lacks, PROGRAMS } from "../../support/lacks.ts";
import { MCP_JSON } from "../../support/mcp-server.ts";
import { NativeWorker } from "../../support/native-worker.ts";
import { TestNats } from "../../support/nats-server.ts";
import { Cookies, handleIn, type Tokens } from "../../support/oauth-rig.ts";
import { ProgramRun } from "../../support/program-run.ts";

// Programs sign in to a relay of a cluster. Nothing sends them to the same server twice.

const ROOT = `${import.meta.dir}/../../..`;
/** The address of the cluster, by which programs know all of its servers. Nothing listens there in this test. */
const ORIGIN = "http://127.0.0.1:9";
const RESOURCE = `${ORIGIN}/api/mcp/id/tools/mcp`;
const REDIRECT_URI = "http://127.0.0.1:33418/callback";
const API_KEY = "api-key-0123456789abcdef";
const CLIENT_KEY = "client-key-0123456789abcdef";
const LIST = { jsonrpc: "2.0", id: 7, method: "tools/list" };
const RESULT = '{"jsonrpc":"2.0","id":7,"result":{"tools":[]}}';

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function startServer(nats: TestNats, id: string): Promise<string> {
  const run = new ProgramRun(
    [process.execPath, "src/main.ts"],
    {
      PATH: process.env["PATH"] ?? "",
      PORT: "0",
      HOST: "127.0.0.1",
      PUBLIC_URL: ORIGIN,
      PLUGINS: "mcp",
      API_KEY,
      CLIENT_KEY,
      NATS_URL: nats.url,
      SERVER_ID: id,
      CLUSTER_LISTEN: "127.0.0.1:0",
    },
    ROOT,
  );
  ends.push(async () => {
    run.kill();
    await run.exited;
  });
  return run.url();
}

/** Three servers, of which the first has the relay. */
async function startCluster() {
  const nats = await TestNats.start();
  ends.push(() => nats.stop());
  const [a, b, c] = await Promise.all([startServer(nats, "a"), startServer(nats, "b"), startServer(nats, "c")]);
  const register = {
    type: undefined,
    client_key: CLIENT_KEY,
    id: "tools",
    info: { auth: "connector", restricts: true },
  };
  const relay = await NativeWorker.connect({ url: a, path: "/api/mcp/connect", register });
  ends.push(() => relay.close());
  for (const url of [b, c]) await eventually(async () => (await call(url, undefined)).status === 401);
  return { nats, a, b, c, relay };
}

function call(url: string, token: string | undefined): Promise<Response> {
  return fetch(`${url}/api/mcp/id/tools/mcp`, {
    method: "POST",
    body: JSON.stringify(LIST),
    headers: {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    },
  });
}

function form(url: string, fields: Readonly<Record<string, string>>, cookie = ""): Promise<Response> {
  return fetch(url, {
    method: "POST",
    body: new URLSearchParams(fields),
    headers: { cookie },
    redirect: "manual",
  });
}

/** Registers a client at one server, shows the page at the next, takes the form and gives the tokens at two others. */
async function signIn([first, second, third, fourth]: readonly [string, string, string, string]) {
  const registered = await fetch(`${first}/register`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      client_name: "Sextant",
      redirect_uris: [REDIRECT_URI],
      token_endpoint_auth_method: "none",
    }),
  });
  expect(registered.status).toBe(201);
  const { client_id: clientId } = (await registered.json()) as { client_id: string }; // RFC 7591
  const { parameters, verifier } = authorizationRequest(clientId, REDIRECT_URI, RESOURCE);
  const cookies = new Cookies();
  const page = cookies.take(await fetch(`${second}/authorize?${new URLSearchParams(parameters)}`));
  expect(page.status).toBe(200);
  const fields = { handle: handleIn(await page.text()), decision: "allow", key: API_KEY };
  const decided = await form(`${third}/authorize`, fields, cookies.header);
  const code = new URL(decided.headers.get("location") ?? "").searchParams.get("code") ?? "";
  const exchanged = await form(`${fourth}/token`, {
    grant_type: "authorization_code",
    code,
    client_id: clientId,
    code_verifier: verifier,
    redirect_uri: REDIRECT_URI,
    resource: RESOURCE,
  });
  expect(exchanged.status).toBe(200);
  return { clientId, tokens: (await exchanged.json()) as Tokens }; // the type has what RFC 6749 demands
}

const asOperator = { headers: { authorization: `Bearer ${API_KEY}` } };

async function grantIds(url: string): Promise<readonly string[]> {
  const answer = await fetch(`${url}/api/mcp/grants`, asOperator);
  const { data } = (await answer.json()) as { data: readonly { id: string }[] }; // as the OpenAPI document says
  return data.map(({ id }) => id);
}

function revoke(url: string, id: string): Promise<Response> {
  return fetch(`${url}/api/mcp/grants/${id}`, { method: "DELETE", ...asOperator });
}

/** Sends a call to a server, and answers it at the relay. */
async function answeredCall(url: string, relay: NativeWorker, token: string): Promise<string> {
  const answer = call(url, token);
  relay.head((await relay.request()).id, 200, MCP_JSON, RESULT, true);
  return (await answer).text();
}

describe.skipIf(lacks("a sign-in to a relay of a cluster on a real nats-server", PROGRAMS.nats))(
  "a program that signs in to a relay of a cluster",
  () => {
    test("is registered by one server, gets its token of another, is let in by a third, and out by all at once", async () => {
      const { a, b, c, relay } = await startCluster();
      const { clientId, tokens } = await signIn([a, b, c, b]);
      for (const url of [c, b, a]) expect(await answeredCall(url, relay, tokens.access_token)).toBe(RESULT);
      const running = call(c, tokens.access_token);
      const { id } = await relay.request();
      const [grant = ""] = await grantIds(b);
      expect((await revoke(b, grant)).status).toBe(200);
      expect(await relay.reset()).toMatchObject({ id });
      relay.breakOff(id, "canceled");
      expect((await running).status).toBe(401);
      for (const url of [a, b, c]) {
        await eventually(async () => (await grantIds(url)).length === 0);
        expect((await call(url, tokens.access_token)).status).toBe(401);
      }
      const refresh = { grant_type: "refresh_token", refresh_token: tokens.refresh_token, client_id: clientId };
      const refreshed = await form(`${c}/token`, refresh);
      expect(refreshed.status).toBe(400);
      expect(await refreshed.json()).toMatchObject({ error: "invalid_grant" });
    }, 60_000);

    test("loses access that was revoked while NATS was away, at all servers once it is back", async () => {
      const { nats, a, b, c, relay } = await startCluster();
      const { tokens } = await signIn([c, a, b, a]);
      await eventually(async () => (await grantIds(b)).length === 1 && (await grantIds(c)).length === 1);
      const [grant = ""] = await grantIds(b);
      await nats.kill();
      const revoked = await revoke(b, grant);
      expect(revoked.status).toBe(503);
      expect(await revoked.json()).toMatchObject({ error: { code: "keys_unavailable" } });
      expect(await grantIds(b)).toEqual([]);
      // Another server cannot know yet.
      expect(await answeredCall(a, relay, tokens.access_token)).toBe(RESULT);
      await nats.restart();
      for (const url of [a, b, c]) {
        await eventually(async () => (await grantIds(url)).length === 0, `the grant is gone at ${url}`, 30_000);
        expect((await call(url, tokens.access_token)).status).toBe(401);
      }
    }, 90_000);
  },
);
