import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { fileURLToPath } from "node:url";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { launchBrowser, openPage, type Watched } from "../support/browser.ts";
import type { Config } from "../support/default-config.ts";
import { MockIssuer } from "../support/mock-issuer.ts";
import { TestServer } from "../support/test-server.ts";

setDefaultTimeout(30_000);

const AXE = await Bun.file(fileURLToPath(import.meta.resolve("axe-core/axe.min.js"))).text();

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser.close());

const running: { stop(): Promise<void> }[] = [];
let watched: Watched | undefined;
afterEach(async () => {
  const complaints = watched?.complaints ?? [];
  await watched?.close();
  watched = undefined;
  for (const each of running.splice(0).reverse()) await each.stop();
  expect(complaints).toEqual([]);
});

/** Starts a server and an issuer that is another site to browsers, as it is in practice. */
async function start(overrides: Partial<Config> = {}): Promise<{ issuer: MockIssuer; server: TestServer }> {
  const issuer = await MockIssuer.start({ host: "localhost" });
  running.push(issuer);
  const server = new TestServer({ plugins: ["llm", "transfer"], ...issuer.settings, ...overrides });
  running.push(server);
  return { issuer, server };
}

async function open(options: BrowserContextOptions = {}): Promise<Page> {
  watched = await openPage(browser, options);
  return watched.page;
}

describe("the sign-in page of a server with an issuer", () => {
  test("leads an admin through the issuer to the page that was asked for", async () => {
    const { server } = await start({ adminKeys: ["test-admin-key"] });
    const page = await open();
    await page.goto(`${server.url}/state?server=`);
    await page.waitForSelector("#key");
    await page.click("text=Sign in with localhost");
    await page.waitForSelector(".link.live");
    expect(page.url()).toBe(`${server.url}/state?server=`);
    const cookies = await page.context().cookies();
    expect(cookies.map(({ name, httpOnly, sameSite }) => ({ name, httpOnly, sameSite }))).toEqual([
      { name: "moorage_session", httpOnly: true, sameSite: "Strict" },
    ]);
    await page.click("text=Sign out");
    await page.waitForSelector("text=Sign in with localhost");
  });

  test("works without JavaScript", async () => {
    const { server } = await start();
    const page = await open({ javaScriptEnabled: false });
    await page.goto(`${server.url}/state`);
    await page.click("text=Sign in with localhost");
    await page.waitForSelector("header >> text=Sign out");
    expect(page.url()).toBe(`${server.url}/state`);
  });

  test("says why a sign-in failed and offers the next one", async () => {
    const { issuer, server } = await start();
    const page = await open();
    issuer.user = { sub: "u-3", groups: ["others"] };
    await page.goto(`${server.url}/state`);
    await page.click("text=Sign in with localhost");
    await page.waitForSelector("[role=alert] >> text=neither an admin nor a viewer");
    // Browsers log an error for each 403.
    watched?.complaints.splice(0);
    issuer.user = { sub: "u-1", groups: ["gpu-admins"] };
    await page.click("text=Sign in with localhost");
    await page.waitForSelector(".link.live");
  });

  test.each(["light", "dark"] as const)("is accessible in the %s theme", async (colorScheme) => {
    const { server } = await start({ adminKeys: ["test-admin-key"] });
    const page = await open({ colorScheme });
    await page.goto(`${server.url}/state`);
    await page.waitForSelector("#key");
    await page.evaluate(AXE);
    const { violations } = (await page.evaluate("axe.run()")) as { violations: { id: string }[] }; // Axe's own shape.
    expect(violations.map(({ id }) => id)).toEqual([]);
  });
});

describe("the dashboard of a viewer", () => {
  test("shows what an admin sees, and offers neither actions nor trials", async () => {
    const { issuer, server } = await start();
    await server.worker({ worker_name: "attic gpu" });
    const offered = async (groups: string): Promise<readonly boolean[]> => {
      issuer.user = { sub: "u-1", groups: [groups] };
      await watched?.close();
      const page = await open();
      await page.goto(`${server.url}/state`);
      await page.click("text=Sign in with localhost");
      await page.waitForSelector(".link.live");
      await page.click('header a[href="#workers"]');
      await page.locator("#tab-workers section[aria-label='Workers'] tbody tr", { hasText: "attic gpu" }).waitFor();
      await page.locator("#tab-workers button[aria-haspopup=menu]").first().click();
      await page.locator("#tab-workers [role=menuitem]", { hasText: "Open its page" }).waitFor();
      const buttons = ["Drain", "Disconnect", "Block"].map((name) =>
        page.locator("#tab-workers [role=menuitem]", { hasText: new RegExp(`^${name}…$`) }).isVisible(),
      );
      const links = ["Playground", "Add a worker"].map((name) =>
        page.locator("header a", { hasText: name }).isVisible(),
      );
      const isMarked = page.locator("header .badge", { hasText: "viewer" }).isVisible();
      return Promise.all([...buttons, ...links, isMarked]);
    };
    expect(await offered("gpu-admins")).toEqual([true, true, true, true, true, false]);
    expect(await offered("gpu-viewers")).toEqual([false, false, false, false, false, true]);
  });
});
