import { describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Page } from "playwright-core";
import type { Deps } from "../../src/system/deps.ts";
import { chooseAction, painted, showSection, signIn } from "../support/browser.ts";
import { BrowserPages } from "../support/browser-pages.ts";
import type { Config } from "../support/default-config.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { API_KEY, TestServer } from "../support/test-server.ts";

setDefaultTimeout(30_000);

const pages = new BrowserPages();

function start(overrides: Partial<Config> = {}, deps: Partial<Deps> = {}): TestServer {
  const server = new TestServer({ plugins: ["llm", "asr", "mcp", "transfer"], ...overrides }, deps);
  pages.running.push(server);
  return server;
}

const open = (server: TestServer, tab = "overview", options = {}): Promise<Page> =>
  pages.openTab(server.url, tab, options);

describe("the sign-in page", () => {
  test("accepts the key, rejects a wrong key, and the sign-out ends the session", async () => {
    const server = start();
    const page = await pages.open();
    await page.goto(`${server.url}/state`);
    await page.fill("#key", "wrong");
    await page.click("button[type=submit]");
    await page.waitForSelector("[role=alert]");
    // Browsers log an error for each 401.
    pages.complaints.splice(0);
    await signIn(page, server.url);
    const [cookie] = await page.context().cookies();
    expect(cookie).toMatchObject({ httpOnly: true, sameSite: "Strict" });
    expect(cookie?.value).not.toContain(API_KEY);
    await page.click("text=Sign out");
    await page.waitForSelector("#key");
  });

  test("is not shown by a server without keys", async () => {
    const server = start({ apiKeys: [] });
    const page = await pages.open();
    await page.goto(`${server.url}/state`);
    await page.waitForSelector(".link.live");
  });
});

describe("the live page", () => {
  test("shows a worker when it connects, when it works, and no more when it has left", async () => {
    const server = start();
    const page = await open(server, "workers");
    await page.waitForSelector("#tab-workers >> text=No workers are connected");
    const worker = await server.worker({ worker_name: "attic gpu", max_concurrency: 2 });
    const row = page.locator("#tab-workers section[aria-label='Workers'] tbody tr", {
      hasText: "attic gpu",
    });
    await row.locator("text=idle").waitFor();
    const answer = server.chat("m", {}, { headers: { "x-request-id": "seen-job" } });
    const { id } = await worker.request();
    await row.locator("text=working").waitFor();
    expect(await row.locator("meter").first().getAttribute("aria-label")).toBe("1 of 2 slots in use");
    await showSection(page, "jobs");
    const job = page.locator("#tab-jobs tbody tr", { has: page.locator("a[title='seen-job']") });
    await job.locator("text=attic gpu").waitFor();
    worker.answerJson(id, {});
    await answer;
    await job.locator("text=completed").waitFor();
    await showSection(page, "models");
    await page.locator("#tab-models tbody tr a", { hasText: /^m$/ }).first().waitFor();
    await worker.close();
    await showSection(page, "workers");
    await row.waitFor({ state: "detached" });
  });

  test("shows problems with what to do about them, and says so when there are none", async () => {
    const server = start({ plugins: ["llm"] });
    const page = await open(server);
    await server.worker({ max_concurrency: 4 });
    await page.waitForSelector(".verdict.good >> text=All systems normal.");
    await page.waitForSelector(".verdict >> text=0 of 4 slots in use");
    expect(await page.locator(".tile", { hasText: "Workers" }).locator("b").first().textContent()).toBe("1");
  });

  test("says that the server cannot be reached, and reconnects when the server is back", async () => {
    const server = start({ apiKeys: [] });
    const page = await pages.open();
    await page.goto(`${server.url}/state`);
    await page.waitForSelector(".link.live");
    await server.stop();
    await page.waitForSelector(".link.reconnecting");
    await page.waitForSelector(".cut-off >> text=The server cannot be reached");
    await page.waitForSelector("main.stale");
    pages.running.splice(0);
    const { port } = new URL(server.url);
    start({ apiKeys: [], port: Number(port) });
    await page.waitForSelector(".link.live", { timeout: 20_000 });
    await page.waitForSelector(".cut-off", { state: "hidden" });
    await page.waitForSelector("main:not(.stale)");
    // Browsers log an error for each failed request to a stopped server.
    expect(pages.complaints.filter((each) => !each.includes("ERR_"))).toEqual([]);
    pages.complaints.splice(0);
  });

  test("says that the sign-in has ended and offers to sign in again", async () => {
    const server = start();
    const page = await open(server);
    const cookies = await page.context().cookies();
    const cookie = cookies.map(({ name, value }) => `${name}=${value}`).join("; ");
    await fetch(`${server.url}/state/sign-out`, { method: "POST", headers: { cookie }, redirect: "manual" });
    await page.context().clearCookies();
    await server.app.close();
    await page.waitForSelector(".cut-off >> text=You are signed out", { timeout: 20_000 });
    await page.waitForSelector(".cut-off a >> text=Sign in");
    expect(await page.locator("text=Sign out").isVisible()).toBe(false);
    pages.complaints.splice(0);
  });

  test("draws plots, with the history from before the viewer came", async () => {
    const clock = new FakeClock();
    const server = start({}, { clock });
    await server.worker();
    for (let second = 0; second < 3; second += 1) clock.advance(1000);
    const page = await open(server);
    await page.waitForSelector(".plot canvas");
    const inked = await page.evaluate(`(() => {
      const canvas = document.querySelector(".plot canvas");
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      return data.some((value, at) => at % 4 === 3 && value > 0);
    })()`);
    expect(inked).toBe(true);
    const history = await (await server.fetch("/api/state/history")).json();
    expect((history as { samples: { at: number[] } }).samples.at.length).toBeGreaterThanOrEqual(2);
  });
});

test("a worker's name is shown as text, whatever it contains", async () => {
  const server = start();
  const page = await open(server, "workers");
  const long = `model-${"x".repeat(290)}`;
  await server.worker({
    worker_name: `<img src=x onerror=alert(1)>`,
    models: [long, `"><script>alert(2)</script>`],
    agent_config: { os: `'" onmouseover=alert(3)` },
  });
  await page.waitForSelector("#tab-workers >> text=<img src=x onerror=alert(1)>");
  await showSection(page, "models");
  const names = page.locator("#tab-models tbody .row-link");
  await names.filter({ hasText: long }).waitFor();
  await names.filter({ hasText: `"><script>alert(2)</script>` }).waitFor();
  expect(await page.locator("#tab-models img, #tab-models script").count()).toBe(0);
  const overflow = await page.evaluate("document.documentElement.scrollWidth - innerWidth");
  expect(overflow).toBeLessThanOrEqual(0);
});

describe("an operator's action", () => {
  test("is carried out only after it has been confirmed", async () => {
    const server = start();
    const page = await open(server, "workers");
    const worker = await server.worker({ worker_name: "attic gpu", worker_id: "attic" });
    const row = page.locator("#tab-workers section[aria-label='Workers'] tbody tr", {
      hasText: "attic gpu",
    });
    await chooseAction(row, "Drain");
    await page.waitForSelector("dialog[open] >> text=Drain this worker?");
    await page.keyboard.press("Escape");
    await page.waitForSelector("dialog:not([open])", { state: "attached" });
    expect((await server.state()).workers[0]).toMatchObject({ operator_drained: false });

    await chooseAction(row, "Drain");
    await page.click("dialog button.main");
    await row.locator("text=drained").waitFor();
    await chooseAction(row, "Undrain");
    await page.click("dialog button.main");
    await row.locator("text=idle").waitFor();
    await chooseAction(row, "Disconnect");
    await page.click("dialog button.main");
    expect((await worker.closed).code).toBe(1012);
    await row.waitFor({ state: "detached" });
  });

  test("drains and blocks a worker, which can be taken back while it is not connected", async () => {
    const server = start();
    const page = await open(server, "workers");
    const worker = await server.worker({ worker_name: "attic gpu", worker_id: "attic" });
    const row = page.locator("#tab-workers section[aria-label='Workers'] tbody tr", {
      hasText: "attic gpu",
    });
    const held = page.locator("#tab-workers section[aria-label='Drained and blocked workers']");
    expect(await held.isVisible()).toBe(false);
    for (const action of ["Drain", "Block"]) {
      await chooseAction(row, action);
      await page.click("dialog button.main");
      await page.waitForSelector("dialog:not([open])", { state: "attached" });
    }
    expect(await worker.closed).toEqual({ code: 1008, reason: "blocked by an operator" });
    await held.locator("tbody tr", { hasText: "attic gpu" }).locator("text=not connected").waitFor();
    for (const action of ["Undrain", "Unblock"]) {
      await held.locator("button", { hasText: action }).click();
      await page.click("dialog button.main");
      await page.waitForSelector("dialog:not([open])", { state: "attached" });
    }
    await held.waitFor({ state: "hidden" });
    await server.worker({ worker_id: "attic" });
  });

  test("on a job cancels the job", async () => {
    const server = start();
    const page = await open(server, "workers");
    const worker = await server.worker();
    const answer = server.chat("m");
    await worker.request();
    await showSection(page, "jobs");
    await chooseAction(page.locator("#tab-jobs tbody tr", { hasText: "running" }), "Cancel");
    await page.click("dialog button.main");
    expect((await answer).status).toBe(503);
    await page.click("#tab-jobs button >> text=Running and waiting");
    await page.waitForSelector("#tab-jobs >> text=No jobs running or waiting.");
  });

  test("that fails shows the error in its dialog", async () => {
    const server = start();
    const page = await open(server, "workers");
    const worker = await server.worker({ worker_name: "going" });
    await chooseAction(page.locator("#tab-workers tbody tr", { hasText: "going" }), "Disconnect");
    await worker.close();
    await page.locator("#tab-workers tbody tr", { hasText: "going" }).waitFor({ state: "detached" });
    await page.click("dialog button.main");
    await page.waitForSelector("dialog[open] [role=alert] >> text=No worker with this id");
    pages.complaints.splice(0); // The browser's word on the 404.
  });
});

describe("a table of a thousand workers", () => {
  test("can be filtered and paged, and no update blocks the page for longer than a blink", async () => {
    const server = start();
    const workers = await Promise.all(
      Array.from({ length: 1000 }, (_, at) =>
        server.worker({ worker_name: `gpu-${at}`, models: [`model-${at % 7}`], max_concurrency: (at % 9) + 1 }),
      ),
    );
    const page = await open(server, "workers");
    const rows = page.locator("#tab-workers tbody tr");
    await page.waitForSelector("#tab-workers >> text=page 1 of 20");
    expect(await rows.count()).toBe(50);
    await page.locator("#tab-workers .pager:visible button", { hasText: "Next" }).click();
    await page.waitForSelector("#tab-workers >> text=page 2 of 20");
    await page.fill("#workers-filter", "gpu-999");
    await page.locator("#tab-workers tbody tr a", { hasText: "gpu-999" }).waitFor();
    expect(await rows.count()).toBe(1);
    await page.fill("#workers-filter", "");
    await page.selectOption("#workers-model", "model-3");
    await page.locator("#tab-workers .tools", { hasText: "143 of 1000" }).waitFor();

    await page.evaluate(`
      window.longTasks = [];
      new PerformanceObserver((entries) => {
        for (const { duration } of entries.getEntries()) window.longTasks.push(duration);
      }).observe({ type: "longtask" });
    `);
    const shown = (await rows.first().locator("a").textContent()) ?? expect.unreachable();
    const first = Math.min(900, Number(shown.replace("gpu-", "")));
    const changing = rows.filter({ has: page.locator("a", { hasText: new RegExp(`^${shown}$`) }) });
    for (let round = 0; round < 3; round += 1) {
      for (const worker of workers.slice(first, first + 100))
        worker.sendText({ type: "status_update", max_concurrency: 3 + round });
      const slots = `meter[aria-label="0 of ${3 + round} slots in use"]`;
      await changing.locator(slots).waitFor();
      await painted(page);
    }
    const longest = await page.evaluate("Math.max(0, ...window.longTasks)");
    // 100 ms is what a person does not notice; the machines that run this are slow and shared.
    expect(longest).toBeLessThan(250);
  });
});
