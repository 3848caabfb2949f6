import { expect, setDefaultTimeout, test } from "bun:test";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";
import { chooseAction, painted, signIn } from "../support/browser.ts";
import { BrowserPages } from "../support/browser-pages.ts";
import { API_KEY, TestServer } from "../support/test-server.ts";

setDefaultTimeout(90_000);

const pages = new BrowserPages();
const AXE = await Bun.file(fileURLToPath(import.meta.resolve("axe-core/axe.min.js"))).text();

/** Axe takes a link that a phone has to scroll to for one that skips something. A test of the address presses the link that does. */
const RUN = `axe.run({ rules: { "skip-link": { enabled: false } } })`;

interface Violation {
  readonly id: string;
  readonly nodes: readonly { readonly target: readonly string[] }[];
}

/** A server with a worker that has failed once, and one that has left. */
async function start(): Promise<TestServer> {
  const server = new TestServer({ plugins: ["llm", "asr", "mcp", "transfer"], adminKeys: [API_KEY] });
  pages.running.push(server);
  const broken = await server.worker({ worker_id: "attic-1", worker_name: "attic gpu", models: ["m"] });
  const answer = server.chat("m");
  const { id } = await broken.request();
  broken.answerJson(id, { error: { message: "out of memory" } }, 500);
  await answer;
  const gone = await server.worker({ worker_id: "gone-1", worker_name: "gone gpu", models: ["n"] });
  gone.close();
  return server;
}

/** Opens a place of the dashboard as a link that somebody was sent. */
async function follow(page: Page, server: TestServer, hash: string): Promise<void> {
  await page.goto(`${server.url}/state${hash}`);
  await page.waitForSelector(".link.live");
}

test("a link opens the page of a worker, of one that has left, of a model and of a failed job", async () => {
  const server = await start();
  const page = await pages.openTab(server.url);
  await follow(page, server, "#workers/attic-1?plugin=llm");
  const shown = page.locator(".detail-body:visible");
  await shown.locator("h2 >> text=attic gpu").waitFor();
  const errors = shown.locator("section.card[aria-label=Errors] tbody tr");
  await errors.locator("text=status 500").waitFor();
  await errors.locator("a >> text=Details").click();
  await shown.locator("text=The model server failed.").waitFor();
  await shown.locator("section.card[aria-label=Attempts] tbody tr", { hasText: "attic gpu" }).waitFor();
  await shown.locator("dl a", { hasText: /^m$/ }).click();
  await shown.locator("section.card[aria-label=Workers] tbody tr", { hasText: "attic gpu" }).waitFor();
  await follow(page, server, "#workers/gone-1?plugin=llm");
  await page.locator("text=This worker is not connected.").waitFor();
  await shown.locator("section.card[aria-label=Sessions] tbody tr").waitFor();
  await follow(page, server, "#workers/nobody");
  await page.locator("text=This worker is not known").waitFor();
  // The browser's word on the 404.
  pages.complaints.splice(0);
});

test("a job for a name that no worker offers links to no model, and leaves the choices above it as they are", async () => {
  const server = await start();
  await server.chat("nowhere");
  const page = await pages.openTab(server.url, "jobs");
  const row = page.locator("#tab-jobs tbody tr", { hasText: "model_not_found" });
  await row.locator("text=(unknown)").filter({ visible: true }).waitFor();
  expect(await row.locator("a[href^='#models']:visible").count()).toBe(0);
  expect(await page.evaluate("document.getElementById('jobs-worker').selectedOptions[0].label")).toBe("Any worker");
  await row.locator("a:visible").first().click();
  await page.locator(".detail-body:visible dd >> text=(unknown)").filter({ visible: true }).waitFor();
  expect(await page.locator(".detail-body:visible dd a[href^='#models']:visible").count()).toBe(0);
});

test("filter, kind and order are in the address, and survive a reload", async () => {
  const server = await start();
  await server.worker({ worker_id: "b", worker_name: "rack 2", models: ["m"], max_concurrency: 4 });
  const page = await pages.openTab(server.url, "workers");
  await page.selectOption("#workers-kind", "llm");
  await page.fill("#workers-filter", "gpu");
  await page.click("#tab-workers th button >> text=Failed");
  await page.click("#tab-workers th button >> text=Failed");
  await page.waitForURL(/sort=-failed/);
  expect(new URLSearchParams(new URL(page.url()).hash.split("?")[1])).toEqual(
    new URLSearchParams({ plugin: "llm", q: "gpu", sort: "-failed" }),
  );
  await page.reload();
  const rows = page.locator("#tab-workers section[aria-label=Workers] tbody tr");
  await rows.first().waitFor();
  expect(await rows.count()).toBe(1);
  expect(await page.inputValue("#workers-filter")).toBe("gpu");
  await page.locator("th[aria-sort=descending] >> text=Failed").waitFor();
  await chooseAction(rows.first(), "Show its jobs");
  await page.locator("#tab-jobs tbody tr", { hasText: "status 500" }).waitFor();
  expect(page.url()).toContain("#jobs?worker=attic-1");
});

test.each([
  ["light", { width: 1280, height: 900 }],
  ["dark", { width: 360, height: 740 }],
] as const)("every page is accessible and no wider than the screen: %s, %p", async (colorScheme, viewport) => {
  const server = await start();
  const page = await pages.open({ colorScheme, viewport, bypassCSP: true });
  await signIn(page, server.url);
  await page.evaluate(AXE);
  const jobs = (await (await server.fetch("/api/state/jobs")).json()) as { data: readonly { job_id: string }[] };
  const places = ["#workers", "#models", "#jobs", "#workers/attic-1?plugin=llm", "#workers/gone-1?plugin=llm"];
  for (const hash of [...places, "#models/m", `#jobs/${encodeURIComponent(jobs.data[0]?.job_id ?? "")}`]) {
    await page.evaluate(`location.hash = ${JSON.stringify(hash)}`);
    const isDetail = hash.includes("/");
    await page
      .locator(isDetail ? ".detail-body:visible h2" : ".dense:visible tbody tr")
      .first()
      .waitFor();
    await painted(page);
    const { violations } = (await page.evaluate(RUN)) as { violations: readonly Violation[] }; // Axe's own shape.
    const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(" ")).join(", ")}`);
    expect([hash, found]).toEqual([hash, []]);
    expect([hash, await page.evaluate("document.scrollingElement.scrollWidth - innerWidth")]).toEqual([hash, 0]);
  }
});

test("an empty pool leads to the page that adds a worker", async () => {
  const server = new TestServer({ plugins: ["llm"], adminKeys: [API_KEY] });
  pages.running.push(server);
  const page = await pages.openTab(server.url, "workers");
  await page.locator("#tab-workers >> text=No workers are connected").waitFor();
  await page.click("#tab-workers .empty-state a >> text=Add a worker");
  await page.waitForURL(/#add/);
});
