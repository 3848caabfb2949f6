import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { askForAccess } from "../support/authorization-request.ts";
import type { Config } from "../support/default-config.ts";
import { McpServer } from "../support/mcp-server.ts";
import { MockIssuer } from "../support/mock-issuer.ts";
import { Cookies, handleIn } from "../support/oauth-rig.ts";

const REDIRECT_URI = "http://127.0.0.1:33418/callback";
const RESULT = '{"jsonrpc":"2.0","id":1,"result":{"tools":[]}}';

let issuer: MockIssuer;
let server: McpServer;
beforeEach(async () => {
  issuer = await MockIssuer.start();
});
afterEach(async () => {
  await server.stop();
  await issuer.stop();
});

async function start(overrides: Partial<Config> = {}) {
  const callers = [{ claim: "groups", value: "gpu-admins" }];
  server = new McpServer({ ...issuer.settings, oidcCallerClaims: callers, ...overrides });
  return server.relay({ info: { auth: "connector", restricts: true } });
}

const post = (path: string, fields: Record<string, string>, cookies = new Cookies()) =>
  fetch(`${server.url}${path}`, {
    method: "POST",
    body: new URLSearchParams(fields),
    headers: { cookie: cookies.header },
    redirect: "manual",
  }).then((answer) => cookies.take(answer));

/** Opens the page of consent in a browser. */
async function open() {
  const { url, ...asking } = await askForAccess(server.url, { relay: "tools", redirectUri: REDIRECT_URI });
  const cookies = new Cookies();
  const page = cookies.take(await fetch(url));
  return { ...asking, cookies, html: await page.text() };
}

/** Chooses the issuer on the page and signs in there. Returns the URL to which it sends the browser back. */
async function goToIssuer(html: string, cookies: Cookies): Promise<URL> {
  const answer = await post("/authorize", { handle: handleIn(html), decision: "issuer" }, cookies);
  expect(answer.status).toBe(303);
  const there = await fetch(answer.headers.get("location") ?? "", { redirect: "manual" });
  return new URL(there.headers.get("location") ?? "");
}

const comeBack = (callback: URL, cookies: Cookies): Promise<Response> =>
  fetch(callback, { headers: { cookie: cookies.header }, redirect: "manual" });

const grants = async (): Promise<number> => {
  const answer = await fetch(`${server.url}/api/mcp/grants`, { headers: { authorization: "Bearer admin-for-tests" } });
  return ((await answer.json()) as { data: unknown[] }).data.length; // the list of grants
};

describe("a user of the issuer", () => {
  test("with the claim lets a program in, and is not signed in to the dashboard", async () => {
    const relay = await start({ adminKeys: ["admin-for-tests"] });
    const { html, cookies, ...client } = await open();
    expect(html).toContain("Allow and sign in with");
    const back = await comeBack(await goToIssuer(html, cookies), cookies);
    expect(back.status).toBe(303);
    expect(back.headers.getSetCookie().join()).not.toContain("moorage_session");
    const code = new URL(back.headers.get("location") ?? "").searchParams.get("code") ?? "";
    const { clientId: client_id, verifier: code_verifier } = client;
    const exchanged = await post("/token", { grant_type: "authorization_code", code, client_id, code_verifier });
    const { access_token: token } = (await exchanged.json()) as { access_token: string }; // RFC 6749

    const list = { jsonrpc: "2.0", id: 1, method: "tools/list" };
    const answer = server.rpc(list, { headers: { authorization: `Bearer ${token}` } }, "/api/mcp/id/tools/mcp");
    const request = await relay.request();
    expect(request.head.caller).toEqual({ name: "oidc:ada@example.com" });
    relay.head(request.id, 200, [["content-type", "application/json"]], RESULT, true);
    expect((await answer).status).toBe(200);
  });

  test("without the claim lets nobody in, although an operator", async () => {
    await start({ adminKeys: ["admin-for-tests"], oidcCallerClaims: [{ claim: "groups", value: "callers" }] });
    const { html, cookies } = await open();
    const back = await comeBack(await goToIssuer(html, cookies), cookies);
    expect(back.status).toBe(403);
    expect(back.headers.getSetCookie().join()).not.toContain("moorage_session=ey");
    expect(await grants()).toBe(0);
  });

  test("lets nobody in where the setting names no claim", async () => {
    await start({ adminKeys: ["admin-for-tests"], oidcCallerClaims: [] });
    const { html, cookies } = await open();
    expect(html).not.toContain("sign in with");
    const answer = await post("/authorize", { handle: handleIn(html), decision: "issuer" }, cookies);
    expect(answer.status).toBe(400);
    expect(await grants()).toBe(0);
  });

  test("lets in nothing that another browser has begun, and nothing twice", async () => {
    await start({ adminKeys: ["admin-for-tests"] });
    const { html, cookies } = await open();
    const callback = await goToIssuer(html, cookies);
    // The attacker's page of consent, continued in the browser of somebody who has begun a sign-in of their own.
    const other = new Cookies();
    const victim = await open();
    await goToIssuer(victim.html, victim.cookies);
    expect((await comeBack(callback, other)).status).toBe(400);
    expect((await comeBack(callback, victim.cookies)).status).toBe(400);
    expect(await grants()).toBe(0);
    expect((await comeBack(callback, cookies)).status).toBe(303);
    expect((await comeBack(callback, cookies)).status).toBeGreaterThanOrEqual(400);
    expect(await grants()).toBe(1);
  });
});
