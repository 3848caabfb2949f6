import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";
import type { ServerLoad } from "../../src/state/cluster-facts.ts";
import { systemClock } from "../../src/system/clock.ts";
import { chooseAction, painted, showSection } from "../support/browser.ts";
import { BrowserPages } from "../support/browser-pages.ts";
import type { Config } from "../support/default-config.ts";
import { ScriptedCluster } from "../support/scripted-cluster.ts";
import { ServerCluster } from "../support/server-cluster.ts";
import { TestServer } from "../support/test-server.ts";

setDefaultTimeout(30_000);

const AXE = await Bun.file(fileURLToPath(import.meta.resolve("axe-core/axe.min.js"))).text();

const pages = new BrowserPages();

function start(config: Partial<Config> = {}) {
  const cluster = new ScriptedCluster(systemClock);
  const server = new TestServer({ serverId: "a", plugins: ["llm"], ...config }, {}, undefined, undefined, cluster);
  pages.running.push(server);
  return { server, cluster };
}

const open = (server: TestServer, tab = "overview"): Promise<Page> => pages.openTab(server.url, tab);

const load = (used: number, requests = 0): ServerLoad => ({
  pulses: [
    {
      id: "llm",
      pulse: {
        workers: { idle: 1, working: 1, notReady: 0, draining: 0 },
        slots: { used, total: 8 },
        queue: { waiting: 0, capacity: 100 },
        requests,
      },
    },
  ],
  firstByte: { p50Ms: null, p95Ms: null },
  problems: { critical: 0, warning: 0 },
});

/** What a peer sends of itself: the state of a server like this one, under another id and with one worker. */
async function textOf(server: TestServer, id: string, worker: string): Promise<string> {
  const answer = await server.fetch("/api/state?server=all");
  const all = (await answer.json()) as { servers: { a: { server: object; plugins: { llm: { workers: object[] } } } } }; // the State API's format
  const { a: own } = all.servers;
  const workers = own.plugins.llm.workers.map((each) => ({ ...each, id: worker, name: worker }));
  return JSON.stringify({ server: { ...own.server, id }, plugins: { llm: { ...own.plugins.llm, workers } } });
}

const row = (page: Page, id: string) =>
  page.locator(".servers tbody tr", { has: page.locator(`button:text-is("${id}")`) });

describe("the page of a server in a cluster", () => {
  test("shows the servers with their health and the totals of all", async () => {
    const { server, cluster } = start();
    await server.worker({ max_concurrency: 4 });
    cluster.peer("b", { region: "fra" });
    cluster.beat("b", load(3));
    const page = await open(server);
    await page.waitForSelector(".verdict.good >> text=2 servers; 3 of 12 slots in use");
    await page.waitForSelector(".servers >> text=2 servers work together, NATS is up; as server a sees it.");
    await row(page, "a").locator("text=answers this page").waitFor();
    await row(page, "b").locator("text=fra").waitFor();
    await row(page, "b").locator("text=direct, 0.4 ms").waitFor();
    expect(await row(page, "b").locator("meter").getAttribute("aria-label")).toBe("3 of 8 slots in use");
    const tile = page.locator(".tile", { hasText: "Language models" });
    await tile.locator("text=12").waitFor();
    cluster.peer("b", { status: "gone" });
    await row(page, "b").locator("text=lost").waitFor();
    await page.waitForSelector(".problems >> text=Server b is gone without a goodbye.");
    await tile.locator("text=/ 4 slots/").waitFor();
  });

  test("lists the workers of the server that is chosen, which stays chosen after a reload", async () => {
    const { server, cluster } = start();
    await server.worker({ worker_name: "attic gpu" });
    cluster.peer("b");
    cluster.beat("b", load(3));
    const page = await open(server, "workers");
    await page.waitForSelector("text=jobs of server a, which answers this page");
    await page.locator("#tab-workers tbody tr", { hasText: "attic gpu" }).first().waitFor();
    await page.selectOption("#server", "b");
    await page.waitForSelector("text=Waiting for the state of server b");
    cluster.arrive("b", await textOf(server, "b", "cellar gpu"));
    await page.locator("#tab-workers tbody tr", { hasText: "cellar gpu" }).first().waitFor();
    await page.waitForSelector("text=jobs of server b, as received by server a");
    expect(await page.locator("#tab-workers tbody tr", { hasText: "attic gpu" }).count()).toBe(0);
    expect(page.url()).toContain("?server=b#workers");
    await page.reload();
    await page.waitForSelector(".link.live");
    expect(await page.inputValue("#server")).toBe("b");
    await page.locator("#tab-workers tbody tr", { hasText: "cellar gpu" }).first().waitFor();
    await page.selectOption("#server", "");
    await page.locator("#tab-workers tbody tr", { hasText: "attic gpu" }).first().waitFor();
    expect(page.url()).not.toContain("server=b");
  });

  test("has the graph of a server at once, also of one that has died, and its last state with its age", async () => {
    const { server, cluster } = start();
    cluster.peer("b");
    for (let second = 0; second < 3; second += 1) {
      cluster.beat("b", load(second, second * 7));
      await Bun.sleep(5);
    }
    cluster.arrive("b", await textOf(server, "b", "cellar gpu"));
    cluster.peer("b", { status: "gone" });
    const page = await open(server);
    const plotted = page.waitForResponse((answer) => answer.url().endsWith("/api/state/history?server=b"));
    await row(page, "b").locator("button").click();
    const history = (await (await plotted).json()) as { samples: { requests: number[] } }; // the State API's format
    expect(history.samples.requests).toEqual([0, 7, 7]);
    await page.locator(".plot canvas").first().waitFor();
    await page.click('header a[href="#workers"]');
    await page.waitForSelector("text=/The server has not answered for \\d+ s; this is its last state/", {
      timeout: 15_000,
    });
  });

  test("goes back to all servers when the chosen one is not in the cluster", async () => {
    const { server } = start({ apiKeys: [] });
    const page = await pages.open();
    await page.goto(`${server.url}/state?server=nobody`);
    await page.waitForSelector(".link.live");
    await page.waitForSelector(".verdict:not(:has-text('Waiting for'))");
    expect(await page.inputValue("#server")).toBe("");
    // Browsers log an error for each 404.
    expect(pages.complaints.filter((each) => !each.includes("404") && !each.includes("MIME"))).toEqual([]);
    pages.complaints.splice(0);
  });

  test("survives the death of its server when a proxy sends it to another one", async () => {
    const first = start({ apiKeys: [] });
    first.cluster.peer("b");
    let target = first.server.url;
    const proxy = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      idleTimeout: 0,
      fetch: (request) => {
        const url = new URL(request.url);
        return fetch(target + url.pathname + url.search, { headers: request.headers, decompress: false }).catch(
          () => new Response("bad gateway", { status: 502 }),
        );
      },
    });
    pages.running.push({ stop: () => proxy.stop(true) });
    const page = await pages.open();
    await page.goto(`http://127.0.0.1:${proxy.port}/state`);
    await page.waitForSelector(".link.live");
    await row(page, "a").locator("text=answers this page").waitFor();
    const second = start({ apiKeys: [], serverId: "b" });
    second.cluster.peer("a", { status: "gone" });
    target = second.server.url;
    await first.server.stop();
    await row(page, "b").locator("text=answers this page").waitFor({ timeout: 20_000 });
    await row(page, "a").locator("text=lost").waitFor();
    await page.waitForSelector(".link.live");
    // Browsers log an error for each failed request.
    expect(pages.complaints.filter((each) => !/ERR_|502|MIME/.test(each))).toEqual([]);
    pages.complaints.splice(0);
  });
});

test("the page of one server shows the jobs and workers of another one, and acts on them", async () => {
  const cluster = await ServerCluster.start(["a", "b"], { plugins: ["llm"] });
  pages.running.push(cluster);
  const worker = await cluster.at("b").server.worker({ worker_id: "cellar", worker_name: "cellar gpu" });
  await cluster.knows("a", "m");
  const answered = cluster.at("a").server.chat("m", { stream: true });
  const { id } = await worker.request();
  worker.head(id, 200, [["content-type", "text/event-stream"]], "data: 1\n\n");
  const page = await open(cluster.at("a").server, "workers");
  await showSection(page, "jobs");
  const job = page.locator("#tab-jobs section[aria-label=Jobs] tbody tr");
  await job.locator("text=cellar").waitFor();
  await job.locator("a[title='cellar on server b']").waitFor();
  await page.selectOption("#server", "b");
  await showSection(page, "workers");
  const row = page.locator("#tab-workers section[aria-label='Workers'] tbody tr", {
    hasText: "cellar gpu",
  });
  await row.locator("text=working").waitFor();
  await chooseAction(row, "Drain");
  await page.locator("#ask button.main").click();
  await page.waitForSelector(".notice >> text=Done: drain cellar gpu");
  await row.locator("text=drained").waitFor();
  worker.data(id, "data: [DONE]\n\n");
  worker.end(id);
  await (await answered).text();
});

test("the servers can be read by screen readers, in both themes, and fit on a phone", async () => {
  const { server, cluster } = start();
  cluster.peer("b", { region: "fra" });
  cluster.beat("b", load(3));
  cluster.peer("c", { status: "gone" });
  cluster.peer("d", { status: "unreachable" });
  for (const [colorScheme, width] of [
    ["light", 1280],
    ["dark", 390],
  ] as const) {
    const page = await pages.openTab(server.url, "overview", { colorScheme, viewport: { width, height: 844 } });
    await row(page, "d").waitFor();
    await page.evaluate(AXE);
    for (const tab of ["overview", "workers"]) {
      await page.click(`header a[href="#${tab}"]`);
      await painted(page);
      const { violations } = (await page.evaluate("axe.run()")) as { violations: { impact: string; id: string }[] }; // Axe's own shape.
      const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
      expect(serious.map(({ id }) => id)).toEqual([]);
      expect(await page.evaluate("document.scrollingElement.scrollWidth - innerWidth")).toBe(0);
    }
  }
});

test("the page of a server without a cluster has no choice of servers and no list of them", async () => {
  const server = new TestServer({ plugins: ["llm"] });
  pages.running.push(server);
  const page = await open(server);
  expect(await page.locator("#server, .servers, .server-line, #boot-cluster").count()).toBe(0);
});
