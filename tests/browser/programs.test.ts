import { expect, setDefaultTimeout, test } from "bun:test";
import { fileURLToPath } from "node:url";
import type { BrowserContextOptions, Page } from "playwright-core";
import { type AskingProgram, askForAccess } from "../support/authorization-request.ts";
import { BrowserPages } from "../support/browser-pages.ts";
import { MCP_JSON, McpServer } from "../support/mcp-server.ts";
import type { NativeWorker } from "../support/native-worker.ts";
import { API_KEY } from "../support/test-server.ts";

setDefaultTimeout(30_000);

const AXE = await Bun.file(fileURLToPath(import.meta.resolve("axe-core/axe.min.js"))).text();
const EVIL = `"><img src=x onerror=alert(1)>`;
const KEY = "key-of-a-client-0123456789";
const pages = new BrowserPages();

interface Site {
  readonly server: McpServer;
  readonly relay: NativeWorker;
  /** The address at which the program waits for its code. */
  readonly callback: string;
  /** Registers a program and returns where it sends its user, and its verifier. */
  ask(name: string): Promise<AskingProgram>;
}

/** A server with a connector relay, and a program on this machine that wants to use it. */
async function start(): Promise<Site> {
  const server = new McpServer({ adminKeys: [API_KEY], apiKeys: [KEY] });
  pages.running.push(server);
  const relay = await server.relay({ id: "files", info: { auth: "connector", restricts: true } });
  const program = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: () => new Response("<h1>Back in the program</h1>", { headers: { "content-type": "text/html" } }),
  });
  pages.running.push({ stop: () => program.stop(true) });
  const callback = `http://127.0.0.1:${program.port}/callback`;
  return {
    server,
    relay,
    callback,
    ask: (name) => askForAccess(server.url, { relay: "files", redirectUri: callback, name }),
  };
}

/** Opens the page of consent in a browser. */
async function openConsent(site: Site, name: string, options: BrowserContextOptions = {}): Promise<Page> {
  const page = await pages.open(options);
  await page.goto((await site.ask(name)).url);
  return page;
}

/** Lets a program in and returns its access token. */
async function letIn(site: Site, name: string): Promise<string> {
  const page = await pages.open();
  const { url, clientId, verifier } = await site.ask(name);
  await page.goto(url);
  await page.fill("#key", KEY);
  await page.click("button[value=allow]");
  await page.waitForURL(`${site.callback}*`);
  const answer = await fetch(`${site.server.url}/token`, {
    method: "POST",
    body: new URLSearchParams({
      grant_type: "authorization_code",
      code: new URL(page.url()).searchParams.get("code") ?? "",
      client_id: clientId,
      code_verifier: verifier,
      redirect_uri: site.callback,
    }),
  });
  const { access_token: token } = (await answer.json()) as { access_token: string }; // RFC 6749
  return token;
}

test.each([
  ["with scripts", {}],
  ["without scripts", { javaScriptEnabled: false }],
])("a person lets a program in with a key, %s, and is back in the program", async (_how, options) => {
  const site = await start();
  const page = await openConsent(site, "Sextant", options);
  const text = await page.textContent("main");
  for (const part of ["Sextant", "files", "127.0.0.1", "your own computer"]) expect(text).toContain(part);
  await page.fill("#key", "a-wrong-key");
  await page.click("button[value=allow]");
  await page.waitForSelector("[role=alert]");
  expect(await page.inputValue("#key")).toBe("");
  pages.complaints.splice(0); // The browser's word on the 401.
  await page.fill("#key", KEY);
  await page.keyboard.press("Enter");
  await page.waitForURL(`${site.callback}*`);
  const { searchParams } = new URL(page.url());
  expect(searchParams.get("code")).toBeTruthy();
  expect(searchParams.get("state")).toBe("the-state");
  expect(searchParams.get("iss")).toBe(site.server.url);
  pages.complaints.splice(0, Number.POSITIVE_INFINITY, ...pages.complaints.filter((each) => !/favicon|404/.test(each)));
});

test("a person cancels, and the program is told", async () => {
  const site = await start();
  const page = await openConsent(site, "Sextant");
  await page.click("button[value=deny]");
  await page.waitForURL(`${site.callback}*`);
  expect(new URL(page.url()).searchParams.get("error")).toBe("access_denied");
});

test.each(["light", "dark"] as const)(
  "the page is accessible in the %s theme, and shows names as text",
  async (colorScheme) => {
    const site = await start();
    // Axe is injected into the page, whose policy would block foreign scripts.
    const page = await openConsent(site, EVIL, { colorScheme, bypassCSP: true });
    expect(await page.textContent("main")).toContain("onerror=alert(1)");
    await page.evaluate(AXE);
    const { violations } = (await page.evaluate("axe.run()")) as { violations: readonly { id: string }[] }; // Axe's own shape.
    expect(violations.map(({ id }) => id)).toEqual([]);
  },
);

test("an operator sees who let which program in, and ends that after a dialog", async () => {
  const site = await start();
  const token = await letIn(site, EVIL);
  const call = (): Promise<Response> =>
    site.server.rpc(
      { jsonrpc: "2.0", id: 1, method: "ping" },
      { headers: { authorization: `Bearer ${token}` } },
      "/api/mcp/id/files/mcp",
    );
  const answered = call();
  site.relay.head((await site.relay.request()).id, 200, MCP_JSON, '{"jsonrpc":"2.0","id":1,"result":{}}', true);
  expect((await answered).status).toBe(200);
  const page = await pages.openTab(site.server.url, "keys");
  await page.locator("#tab-keys .parts button", { hasText: "Programs" }).click();
  const row = page.locator("#tab-keys section[aria-label='Programs that people let in'] tbody tr", {
    hasText: "onerror",
  });
  await row.waitFor();
  expect(await row.textContent()).toContain("files");
  await row.locator("button", { hasText: "Revoke" }).click();
  await page.waitForSelector("dialog[open] >> text=End this program's access?");
  await page.click("#ask button.main");
  await row.waitFor({ state: "detached" });
  expect((await call()).status).toBe(401);
  await page.locator("#tab-keys .parts button", { hasText: "Audit trail" }).click();
  await page.waitForSelector("text=grant.revoke");
});
