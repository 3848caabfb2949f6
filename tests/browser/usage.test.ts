import { expect, setDefaultTimeout, test } from "bun:test";
import type { Page } from "playwright-core";
import { showSection, signIn } from "../support/browser.ts";
import { BrowserPages } from "../support/browser-pages.ts";
import { TestServer } from "../support/test-server.ts";

setDefaultTimeout(30_000);

const EVIL = `"><img src=x onerror=alert(1)>`;
const pages = new BrowserPages();

/** Starts a server whose clients have used two models. */
async function start(): Promise<TestServer> {
  const server = new TestServer();
  pages.running.push(server);
  const models = ["m", EVIL];
  const worker = await server.worker({ models, max_concurrency: 8 });
  const usage = { prompt_tokens: 1000, completion_tokens: 200 };
  for (const model of [...models, "m"]) {
    const answer = server.chat(model);
    const { id } = await worker.request();
    worker.answerJson(id, { choices: [], usage });
    expect((await answer).status).toBe(200);
  }
  return server;
}

const inked = (page: Page): Promise<unknown> =>
  page.evaluate(`(() => {
    const canvas = document.querySelector(".usage-plot canvas");
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    const colors = new Set();
    for (let at = 0; at < data.length; at += 4) if (data[at + 3] === 255) colors.add(data[at] + "," + data[at + 1] + "," + data[at + 2]);
    return colors.size > 2;
  })()`);

test("the plot, its legend and the table show who has used what, whatever models are called", async () => {
  const server = await start();
  const page = await pages.openTab(server.url, "usage");
  const rows = page.locator("#tab-usage tbody tr");
  await rows.filter({ hasText: "api-key:1" }).locator("text=3,000").waitFor();
  await page.waitForSelector("#tab-usage figcaption >> text=3600 tokens");
  await page.waitForSelector(".usage-plot canvas");
  expect(await inked(page)).toBe(true);

  await page.click("#tab-usage >> text=Models");
  await rows.filter({ hasText: EVIL }).waitFor();
  await page.click("#tab-usage >> text=12 months");
  await page.selectOption("#usage-measure", "requests");
  await page.waitForSelector("#tab-usage figcaption >> text=3 requests");
  await page.click("#tab-usage summary");
  await page.locator(".by-time thead th", { hasText: EVIL }).waitFor();
  expect(await page.locator(".by-time tbody tr").count()).toBe(1);
  expect(await page.locator("#tab-usage img").count()).toBe(0);
  expect(await page.evaluate("document.documentElement.scrollWidth - innerWidth")).toBe(0);
});

test("a series is hidden and shown by keyboard, and the download has what is shown", async () => {
  const server = await start();
  const page = await pages.openTab(server.url, "usage");
  await page.click("#tab-usage >> text=Models");
  const swatch = page.locator("#tab-usage .swatch", { hasText: EVIL });
  await swatch.waitFor();
  await swatch.focus();
  await page.keyboard.press("Space");
  await page.waitForSelector("#tab-usage figcaption >> text=2400 tokens");
  expect(await swatch.getAttribute("aria-pressed")).toBe("false");
  const download = page.waitForEvent("download");
  await page.click("#tab-usage >> text=Download CSV");
  const file = await download;
  expect(file.suggestedFilename()).toBe("usage-24h-by-model.csv");
  const csv = await Bun.file((await file.path()) ?? "").text();
  expect(csv.split("\r\n")[1]).toMatch(/Z,m,2,0,2000,0,400,0,0$/);
  expect(csv).not.toContain("onerror");
  await page.keyboard.press("Shift+Tab");
  await swatch.focus();
  await page.keyboard.press("Enter");
  await page.waitForSelector("#tab-usage figcaption >> text=3600 tokens");
});

test("a server without usage says so", async () => {
  const server = new TestServer();
  pages.running.push(server);
  const page = await pages.openTab(server.url, "usage");
  await page.waitForSelector("#tab-usage >> text=There was no usage in this time.");
  expect(await page.locator("#tab-usage button", { hasText: "Download CSV" }).isDisabled()).toBe(true);
});

test("requests that have ended are listed with caller, worker, reason and tokens, and failed ones by themselves", async () => {
  const server = await start();
  const worker = await server.worker({ models: ["broken"], worker_id: "attic" });
  const failing = server.chat("broken");
  const { id } = await worker.request();
  worker.answerJson(id, { error: { message: "out of memory" } }, 500);
  expect((await failing).status).toBe(500);
  const page = await pages.openTab(server.url, "workers");
  await showSection(page, "jobs");
  const rows = page.locator("#tab-jobs section[aria-label=Jobs] tbody tr");
  await rows.filter({ hasText: "1000 in, 200 out" }).first().waitFor();
  expect(await rows.count()).toBe(4);
  await page.click("#tab-jobs button >> text=Failed");
  await rows.filter({ hasText: EVIL }).first().waitFor({ state: "detached" });
  expect(await rows.count()).toBe(1);
  await rows.filter({ hasText: "attic" }).locator(".badge", { hasText: "failed" }).waitFor();
});

test("the plots are drawn in a browser on a machine without a language, whose formatters refuse its name", async () => {
  const server = await start();
  const page = await pages.open();
  // What Chromium says with LANG=C.
  await page.addInitScript(`Object.defineProperty(Navigator.prototype, "language", { get: () => "en-US@posix" })`);
  await signIn(page, server.url);
  await page.waitForSelector("#tab-overview canvas");
  await page.click('header a[href="#usage"]');
  await page.waitForSelector("#tab-usage figcaption >> text=3600 tokens");
  await page.waitForSelector(".usage-plot canvas");
  expect(await inked(page)).toBe(true);
});
