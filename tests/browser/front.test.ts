import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import axe from "axe-core";
import type { Browser } from "playwright-core";
import { launchBrowser, openPage } from "../support/browser.ts";
import { API_KEY, TestServer } from "../support/test-server.ts";

let browser: Browser;
let server: TestServer;

beforeAll(async () => {
  server = new TestServer();
  browser = await launchBrowser();
});

afterAll(async () => {
  await browser.close();
  await server.stop();
});

describe("pages before the dashboard", () => {
  test.each([
    ["/", "light"],
    ["/", "dark"],
    ["/state", "light"],
    ["/state", "dark"],
  ] as const)("%s fits on a phone and has no fault that axe finds, %s", async (path, colorScheme) => {
    const { page, complaints, close } = await openPage(browser, { viewport: { width: 360, height: 740 }, colorScheme });
    await page.goto(`${server.url}${path}`);
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(360);
    await page.evaluate(axe.source);
    const { violations } = (await page.evaluate("axe.run()")) as axe.AxeResults; // What axe.run returns, as JSON.
    expect(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)])).toEqual([]);
    expect(complaints).toEqual([]);
    await close();
  });

  test("lead from the root to the dashboard, with a key that can be looked at", async () => {
    const { page, complaints, close } = await openPage(browser);
    await page.goto(server.url);
    await page.click("text=Sign in to the dashboard");
    await page.fill("#key", API_KEY);
    await page.click("text=Show");
    expect(await page.getAttribute("#key", "type")).toBe("text");
    await page.click("text=Hide");
    expect(await page.getAttribute("#key", "type")).toBe("password");
    await page.click("button[type=submit]");
    await page.waitForSelector(".link.live");
    expect(complaints).toEqual([]);
    await close();
  });

  test("keep the theme that was chosen", async () => {
    const { page, close } = await openPage(browser, { colorScheme: "light" });
    await page.goto(server.url);
    await page.click(".theme-switch");
    await page.goto(`${server.url}/state`);
    expect(await page.getAttribute("html", "data-theme")).toBe("dark");
    await close();
  });

  test("work without scripts, and show no button that needs them", async () => {
    const { page, close } = await openPage(browser, { javaScriptEnabled: false });
    await page.goto(`${server.url}/state`);
    expect(await page.locator("button:visible").allInnerTexts()).toEqual(["Sign in"]);
    await page.fill("#key", "wrong");
    await page.click("button[type=submit]");
    expect(await page.innerText("[role=alert]")).toContain("not a valid API key");
    await close();
  });
});
