import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";
import { KeyBook } from "../../src/keys/key-book.ts";
import { createMemoryRecords } from "../../src/keys/key-records.ts";
import { TenantBook } from "../../src/keys/tenant-book.ts";
import { createMemoryTenants } from "../../src/keys/tenant-records.ts";
import { systemClock } from "../../src/system/clock.ts";
import { painted, signIn } from "../support/browser.ts";
import { BrowserPages } from "../support/browser-pages.ts";
import { API_KEY, TestServer } from "../support/test-server.ts";

setDefaultTimeout(60_000);

const TABS = [
  "overview",
  "workers",
  "models",
  "jobs",
  "mcp",
  "transfers",
  "keys",
  "usage",
  "playground",
  "add",
  "use",
] as const;
const PHONE = { width: 390, height: 844 };
const AXE = await Bun.file(fileURLToPath(import.meta.resolve("axe-core/axe.min.js"))).text();

/** Axe takes a link that a phone has to scroll to for one that skips something. A test of the address presses the link that does. */
const RUN = `axe.run({ rules: { "skip-link": { enabled: false } } })`;

const pages = new BrowserPages();
let server: TestServer;

beforeAll(async () => {
  const book = new KeyBook({ records: createMemoryRecords(), clock: systemClock, maxRequests: 1000 });
  const limits = { parallel: 4, tokensPerDay: 2_000_000, timezone: "Europe/Berlin" };
  for (const name of ["ada", "grace"])
    book.create({ kind: "client", terms: { name, tenant: "research", limits } }, { by: "admin-key:1" });
  const plugins = ["llm", "asr", "mcp", "transfer"];
  const tenants = new TenantBook({ records: createMemoryTenants(), clock: systemClock });
  tenants.set("research", limits, "admin-key:1");
  const opened = { book, tenants, isKept: true, file: undefined };
  server = new TestServer({ plugins, adminKeys: [API_KEY] }, {}, undefined, undefined, undefined, opened);
  await server.worker({ worker_name: "attic gpu", models: ["llama3:8b"], max_concurrency: 2 });
  await server.worker({ worker_name: "rack 7", models: ["llama3:70b"], max_concurrency: 8 });
});
afterAll(() => server.stop());

const open = (options = {}): Promise<Page> => pages.open(options);

interface Violation {
  readonly id: string;
  readonly nodes: readonly { readonly target: readonly string[] }[];
}

describe("the dashboard is accessible", () => {
  test.each([
    ["light", undefined],
    ["dark", undefined],
    ["light", PHONE],
    ["dark", PHONE],
  ] as const)("in the %s theme, on %p", async (colorScheme, viewport) => {
    // Axe is injected into the page, whose policy would block foreign scripts.
    const page = await open({ colorScheme, bypassCSP: true, ...(viewport ? { viewport } : {}) });
    await signIn(page, server.url);
    await page.evaluate(AXE);
    for (const tab of TABS) {
      await page.click(`header a[href="#${tab}"]`);
      const buttons = await page.locator(`#tab-${tab} .parts button, #tab-${tab}.tab .playground .picks button`).all();
      const parts = buttons.length === 0 ? [undefined] : buttons;
      for (const part of parts) {
        await part?.click();
        await painted(page);
        const { violations } = (await page.evaluate(RUN)) as { violations: readonly Violation[] }; // Axe's own shape.
        const found = violations.map(
          ({ id, nodes }) => `${tab}: ${id}: ${nodes.map(({ target }) => target.join(" ")).join(", ")}`,
        );
        expect(found).toEqual([]);
      }
    }
  });

  test.each(["key-details", "key-form", "key-rotate", "key-shown", "tenant-form"])("in the dialog %s", async (id) => {
    const page = await open({ bypassCSP: true });
    await signIn(page, server.url, "keys");
    const first = page.locator("#tab-keys tbody tr").first();
    await first.waitFor();
    if (id === "tenant-form") {
      await page.locator("#tab-keys .parts button", { hasText: "Tenants" }).click();
      await page.click("#tab-keys section[aria-label=Tenants] button >> text=Edit");
    } else if (id === "key-details") await first.locator("button.name").click();
    else if (id === "key-rotate") await first.locator("button", { hasText: "Rotate" }).click();
    else await page.click("text=New key");
    if (id === "key-shown") {
      await page.fill("#key-form [name=name]", "made here");
      await page.click("#key-form button.main");
    }
    await page.waitForSelector(`#${id}[open]`);
    await page.evaluate(AXE);
    const { violations } = (await page.evaluate(`axe.run("#${id}")`)) as { violations: readonly Violation[] }; // Axe's own shape.
    expect(violations.map(({ id: rule, nodes }) => `${rule}: ${nodes.map(({ target }) => target.join(" "))}`)).toEqual(
      [],
    );
  });

  test("on a phone, where nothing is wider than the screen", async () => {
    const page = await open({ viewport: PHONE });
    await signIn(page, server.url);
    for (const tab of TABS) {
      await page.click(`header a[href="#${tab}"]`);
      await page.locator(`header a[href="#${tab}"][aria-current="page"]`).waitFor();
      await painted(page);
      expect([tab, await page.evaluate("document.scrollingElement.scrollWidth - innerWidth")]).toEqual([tab, 0]);
    }
  });

  test("by keyboard alone, for opening a tab, sorting a column, and opening and closing a dialog", async () => {
    const page = await open();
    await signIn(page, server.url);
    await page.focus('header a[href="#workers"]');
    await page.keyboard.press("Enter");
    await page.focus("#workers-filter");
    const reach = async (text: string): Promise<void> => {
      for (let steps = 0; steps < 40; steps += 1) {
        if ((await page.evaluate("document.activeElement.textContent.trim()")) === text) return;
        await page.keyboard.press("Tab");
      }
      throw new Error(`Tab never came to ${text}`);
    };
    await reach("Load");
    await page.keyboard.press("Enter");
    expect(await page.locator("#tab-workers th", { hasText: "Load" }).getAttribute("aria-sort")).toBe("ascending");
    await reach("⋯");
    await page.keyboard.press("Enter");
    await page.waitForSelector("[role=menu]:popover-open");
    await page.keyboard.press("Escape");
    await page.waitForSelector("[role=menu]:popover-open", { state: "detached" });
    expect(await page.evaluate("document.activeElement.textContent.trim()")).toBe("⋯");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("d");
    await page.keyboard.press("Enter");
    await page.waitForSelector("dialog[open] >> text=Drain this worker?");
    await page.keyboard.press("Escape");
    await page.waitForSelector("dialog:not([open])", { state: "attached" });
    expect(await page.evaluate("document.activeElement.textContent.trim()")).toBe("⋯");
  });
});

test("updates do not shift the layout of the page", async () => {
  const page = await open();
  await signIn(page, server.url);
  await page.evaluate(`
    window.shift = 0;
    new PerformanceObserver((entries) => {
      for (const entry of entries.getEntries()) if (!entry.hadRecentInput) window.shift += entry.value;
    }).observe({ type: "layout-shift", buffered: true });
  `);
  const workers = page.locator(".tile", { hasText: "Workers" }).locator("b").first();
  await workers.filter({ hasText: /^2$/ }).waitFor();
  const worker = await server.worker({ worker_name: "comes and goes", max_concurrency: 1 });
  await workers.filter({ hasText: /^3$/ }).waitFor();
  worker.close();
  await workers.filter({ hasText: /^2$/ }).waitFor();
  await painted(page);
  // A layout shift of up to 0.1 counts as good.
  expect(await page.evaluate("window.shift")).toBeLessThan(0.05);
});

test("the first visit loads less than 100 KiB, and nothing from other hosts", async () => {
  const page = await open();
  await signIn(page, server.url);
  const cookies = await page.context().cookies();
  const fresh = await open();
  const client = await fresh.context().newCDPSession(fresh);
  await client.send("Network.enable");
  let bytes = 0;
  const hosts = new Set<string>();
  client.on("Network.loadingFinished", ({ encodedDataLength }) => {
    bytes += encodedDataLength;
  });
  fresh.on("request", (request) => hosts.add(new URL(request.url()).host));
  await fresh.context().addCookies(cookies);
  await fresh.goto(`${server.url}/state`);
  await fresh.waitForSelector(".link.live");
  expect([...hosts].filter((host) => host !== "" && host !== new URL(server.url).host)).toEqual([]);
  expect(bytes).toBeGreaterThan(20_000);
  expect(bytes).toBeLessThan(100 * 1024);
});
