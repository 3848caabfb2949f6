import { describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Page } from "playwright-core";
import { painted, showSection, signIn } from "../support/browser.ts";
import { BrowserPages } from "../support/browser-pages.ts";
import { eventually } from "../support/eventually.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { API_KEY, TestServer } from "../support/test-server.ts";

setDefaultTimeout(60_000);

const SECTIONS = ["overview", "workers", "models", "jobs", "mcp", "transfers", "keys", "usage", "playground"] as const;

const pages = new BrowserPages();

function start(...args: ConstructorParameters<typeof TestServer>): TestServer {
  const [config, ...more] = args;
  const server = new TestServer({ plugins: ["llm", "asr", "mcp", "transfer"], ...config }, ...more);
  pages.running.push(server);
  return server;
}

/** Waits until a section is the one that is shown. */
async function isShown(page: Page, section: string): Promise<void> {
  await page.locator(`#tab-${section}`).waitFor();
  expect(await page.locator("main > .tab:visible").count()).toBe(1);
}

const hashOf = (page: Page): string => new URL(page.url()).hash;

describe("the address of the page", () => {
  test("leads to each section, and the navigation says which one it is", async () => {
    const server = start({ apiKeys: [] });
    const page = await pages.open();
    for (const section of SECTIONS) {
      await page.goto(`${server.url}/state#${section}`);
      await isShown(page, section);
      const current = page.locator(`header nav a[href="#${section}"][aria-current="page"]`);
      await current.waitFor();
      expect(await page.title()).toBe(`${await current.textContent()} · Moorage`);
    }
    for (const section of ["add", "use"]) {
      await page.click(`header a[href="#${section}"]`);
      await isShown(page, section);
    }
    await page.goto(`${server.url}/state#nonsense`);
    await isShown(page, "overview");
  });

  test.each([
    ["#llm", "workers", "#workers?plugin=llm"],
    ["#asr", "workers", "#workers?plugin=asr"],
    ["#transfer", "transfers", "#transfers"],
  ])("of an earlier version, %s, leads to %s", async (old, section, hash) => {
    const server = start({ apiKeys: [] });
    const page = await pages.open();
    await page.goto(`${server.url}/state${old}`);
    await isShown(page, section);
    expect(hashOf(page)).toBe(hash);
  });

  test("keeps section and query over a reload, and the browser's buttons lead back and on", async () => {
    const server = start({ apiKeys: [] });
    await server.worker({ worker_name: "attic gpu", worker_id: "attic", models: ["m"] });
    const page = await pages.open();
    await page.goto(`${server.url}/state`);
    await page.waitForSelector(".link.live");
    await page.click("#tab-overview .segments button >> nth=0");
    await page.waitForURL(/#overview\?range=5$/);
    await page.reload();
    await page.locator("#tab-overview button[aria-pressed=true]", { hasText: "5 min" }).waitFor();
    await showSection(page, "keys");
    await page.click("#tab-overview .models a[href='#models/m'], header nav a[href='#models']");
    await isShown(page, "models");
    await page.goBack();
    await isShown(page, "keys");
    await page.goBack();
    await isShown(page, "overview");
    await page.locator("#tab-overview button[aria-pressed=true]", { hasText: "5 min" }).waitFor();
    await page.goForward();
    await isShown(page, "keys");
  });

  test("comes with the scroll position, by the browser's buttons and by the link of a detail page", async () => {
    const server = start({ apiKeys: [] });
    await Promise.all(Array.from({ length: 60 }, (_, at) => server.worker({ worker_id: `w${at}` })));
    const page = await pages.open({ viewport: { width: 800, height: 600 } });
    await page.goto(`${server.url}/state#workers`);
    const rows = page.locator("#tab-workers .dense tbody tr");
    await rows.nth(40).scrollIntoViewIfNeeded();
    const top = (await page.evaluate("scrollY")) as number; // A number of pixels.
    expect(top).toBeGreaterThan(500);
    const isScrolledTo = (wanted: number): Promise<boolean> =>
      eventually(
        async () => Math.abs(((await page.evaluate("scrollY")) as number) - wanted) < 2,
        `the page is at ${wanted}`,
      );
    for (const back of ["button", "link"]) {
      await rows.nth(40).locator("a").click();
      const crumb = page.locator("#tab-workers .crumbs a");
      await crumb.waitFor();
      await isScrolledTo(0);
      await (back === "button" ? page.goBack() : crumb.click());
      await isScrolledTo(top);
    }
    await page.click("header nav a[href='#keys']");
    await page.click("header nav a[href='#workers']");
    await isScrolledTo(0);
  });

  test("survives the sign-in, also after a wrong key, and is not kept for later visits", async () => {
    const server = start();
    const page = await pages.open();
    await page.goto(`${server.url}/state#models/llama3%3A8b?part=errors`);
    await page.fill("#key", "wrong");
    await page.click("button[type=submit]");
    await page.waitForSelector("[role=alert]");
    // Browsers log an error for each 401.
    pages.complaints.splice(0);
    await page.fill("#key", API_KEY);
    await page.click("button[type=submit]");
    await isShown(page, "models");
    expect(hashOf(page)).toBe("#models/llama3%3A8b?part=errors");
    await page.goto(`${server.url}/api/status`).catch(() => null);
    await page.goto(`${server.url}/state`);
    await isShown(page, "overview");
    pages.complaints.splice(0); // an unknown path
  });

  test("is not changed by the link that skips the navigation", async () => {
    const server = start({ apiKeys: [] });
    const page = await pages.open();
    await page.goto(`${server.url}/state#keys`);
    await isShown(page, "keys");
    await page.focus(".skip");
    await page.keyboard.press("Enter");
    expect(hashOf(page)).toBe("#keys");
    expect(await page.evaluate("document.activeElement.id")).toBe("main");
  });
});

describe("the overview", () => {
  test("says of each model whether it is free, and leads to its page", async () => {
    const server = start({ apiKeys: [] });
    await server.worker({ worker_name: "attic gpu", models: ["m"], max_concurrency: 2 });
    const page = await pages.open();
    await page.goto(`${server.url}/state`);
    const row = page.locator("#tab-overview .models tbody tr", { hasText: "m" }).first();
    await row.locator(".badge", { hasText: "free" }).waitFor();
    await row.locator("meter[aria-label='0 of 2 slots in use']").waitFor();
    await row.locator("a").click();
    await isShown(page, "models");
    expect(hashOf(page)).toStartWith("#models/m");
  });

  test("leads to the way to add a worker while there is no model", async () => {
    const server = start({ apiKeys: [], plugins: ["llm"] });
    const page = await pages.open();
    await page.goto(`${server.url}/state`);
    await page.click("#tab-overview .empty-state >> text=Add a worker");
    await isShown(page, "add");
  });

  test("shows the time that the pointer is at in all plots", async () => {
    const clock = new FakeClock();
    const server = start({ apiKeys: [] }, { clock });
    await server.worker();
    for (let second = 0; second < 30; second += 1) clock.advance(1000);
    const page = await pages.open();
    await page.goto(`${server.url}/state`);
    await page.waitForSelector(".plot canvas");
    const box = await page.locator(".plot .u-over").first().boundingBox();
    if (!box) return expect.unreachable();
    await page.locator(".charts .soft", { hasText: "now" }).waitFor();
    await page.mouse.move(box.x + box.width - 3, box.y + box.height / 2);
    await page.locator(".charts .soft", { hasText: /^\d\d:\d\d:\d\d$/ }).waitFor();
    const cursors = await page
      .locator(".plot .u-cursor-x")
      .evaluateAll((lines) => lines.filter((line) => !line.classList.contains("u-off")).length);
    expect(cursors).toBe(await page.locator(".plot").count());
    await page.mouse.move(0, 0);
    await page.locator(".charts .soft", { hasText: "now" }).waitFor();
  });
});

/** What a phone shows in part: lists that are wider than their box, the link to this section, and rows whose button covers the state. */
const CUT_OFF = `[...document.querySelectorAll(".scroller, .rows")]
  .filter((each) => each.checkVisibility() && each.scrollWidth > each.clientWidth)
  .map((each) => each.ariaLabel ?? each.className)
  .concat([...document.querySelectorAll("header nav a[aria-current=page]")]
    .filter((link) => link.getBoundingClientRect().left < 0 || link.getBoundingClientRect().right > innerWidth - 24)
    .map((link) => link.textContent))
  .concat([...document.querySelectorAll(".dense tbody tr")].filter((row) => row.checkVisibility()).flatMap((row) => {
    const edge = (selector, side) => row.querySelector(selector)?.getBoundingClientRect()[side] ?? 0;
    return edge("[data-place=state] .badge", "right") > edge("[data-place=menu] > *", "left") ? [row.textContent] : [];
  }))`;

describe("nothing is wider than the screen", () => {
  test.each([360, 390, 768, 1440, 1920])("of %d pixels, in any section", async (width) => {
    const server = start({ adminKeys: [API_KEY] });
    await server.worker({ worker_name: `a-${"long-".repeat(20)}name`, models: [`model-${"x".repeat(200)}`, "m"] });
    const page = await pages.open({ viewport: { width, height: 900 } });
    await signIn(page, server.url);
    for (const section of [...SECTIONS, "add", "use"]) {
      await page.click(`header a[href="#${section}"] >> nth=0`);
      await isShown(page, section);
      await page.locator(`#tab-${section} > :not(p)`).first().waitFor();
      await painted(page);
      expect([section, await page.evaluate("document.scrollingElement.scrollWidth - innerWidth")]).toEqual([
        section,
        0,
      ]);
      if (width < 768) expect([section, await page.evaluate(CUT_OFF)]).toEqual([section, []]);
    }
  });
});
