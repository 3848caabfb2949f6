import { afterEach, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";
import { painted, showSection } from "../support/browser.ts";
import { BrowserPages } from "../support/browser-pages.ts";
import { eventually } from "../support/eventually.ts";
import { NativeWorker } from "../support/native-worker.ts";
import { API_KEY, CLIENT_KEY, TestServer } from "../support/test-server.ts";

// What the dashboard shows of the scheduler: who waits, full pools beside idle ones, reasons, and workers that are out.

setDefaultTimeout(60_000);

const OTHER_KEY = "another-api-key";
const AXE = await Bun.file(fileURLToPath(import.meta.resolve("axe-core/axe.min.js"))).text();

const pages = new BrowserPages();
let server: TestServer;
let busy: NativeWorker;
let bad: NativeWorker;
let answers: Promise<Response>[] = [];

/** One model with a busy worker and three jobs that wait, one whose worker has failed, and idle speech workers. */
beforeEach(async () => {
  server = new TestServer({ plugins: ["llm", "asr"], apiKeys: [API_KEY, OTHER_KEY], adminKeys: [API_KEY] });
  busy = await server.worker({ worker_name: "busy box", models: ["m", "spare"], loaded: ["m"] });
  bad = await server.worker({ worker_id: "bad", worker_name: "broken box", models: ["n"], max_concurrency: 2 });
  await server.worker({ worker_id: "good", worker_name: "sound box", models: ["n"], max_concurrency: 2 });
  await NativeWorker.connect({
    url: server.url,
    path: "/api/asr/connect",
    register: { client_key: CLIENT_KEY, worker_name: "ears", models: ["whisper"], max_concurrency: 4 },
  });
  for (let job = 0; job < 5; job += 1) {
    const answer = server.post("/api/llm/id/bad/v1/chat/completions", { model: "n", messages: [] });
    bad.answerJson((await bad.request()).id, { error: "broken" }, 500);
    await answer;
  }
  const as = (key: string) => ({ headers: { authorization: `Bearer ${key}` } });
  answers = [server.chat("m", {}, as(API_KEY))];
  await busy.request();
  answers.push(server.chat("m"), server.chat("m"), server.chat("m", {}, as(OTHER_KEY)));
  await eventually(async () => (await server.state()).server["scheduler_queue_len"] === 3);
});
afterEach(async () => {
  await server.stop();
  await Promise.allSettled(answers);
});

const open = (tab: string, options = {}): Promise<Page> => pages.openTab(server.url, tab, options);

test("the overview lists who waits and who is served, and a full pool beside an idle one", async () => {
  const page = await open("overview");
  const rows = page.locator(".callers tbody tr");
  await rows.first().waitFor();
  expect(await rows.count()).toBe(2);
  const first = (await rows.first().textContent()) ?? "";
  expect(first).toContain("api-key:1");
  expect(first).toContain("Language models · normal");
  expect(await rows.first().locator("td").first().textContent()).toContain("2");
  expect(await rows.nth(1).textContent()).toContain("api-key:2");
  await page.locator(".tile.pool meter[aria-label='1 of 5 slots of Language models in use']").waitFor();
  await page.locator(".tile.pool meter[aria-label='0 of 4 slots of Speech to text in use']").waitFor();
  await page.locator(".tile.pool").locator("text=3 of 100 queue places taken").waitFor();
  await page.locator(".problems", { hasText: "'broken box' gets no requests for 'n': it failed too often." }).waitFor();
});

test("the pages name loaded models, workers that are out, and whose jobs wait and run where", async () => {
  const page = await open("workers");
  const worker = (name: string) =>
    page.locator("#tab-workers section[aria-label='Workers'] tbody tr", { hasText: name });
  await worker("broken box")
    .locator(".badge", { hasText: /^(partly )?out$/ })
    .waitFor();
  expect(await worker("broken box").locator(".badge").getAttribute("title")).toContain("status 500");
  expect(await worker("sound box").locator(".badge", { hasText: /out$/ }).count()).toBe(0);
  await showSection(page, "models");
  const model = (name: string) =>
    page.locator("#tab-models section[aria-label='Models'] tbody tr", {
      has: page.locator(".row-link", { hasText: new RegExp(`^${name}$`) }),
    });
  const note = (name: string) => model(name).locator(".badge").getAttribute("title");
  expect(await note("m")).toContain("2 of api-key:1 waiting");
  expect(await note("m")).toContain("in the memory of 1 of");
  expect(await note("spare")).toContain("in the memory of 0 of");
  expect(await note("n")).toContain("1 worker out");
  await showSection(page, "jobs");
  const running = page.locator("#tab-jobs tbody tr", { hasText: "running" });
  await running.locator("td[data-label=Worker] a").first().waitFor();
  expect(await running.locator("td[data-label=Caller]").textContent()).toContain("api-key:1");
  expect(await page.locator("#tab-jobs td[data-label=Caller]", { hasText: "api-key:2" }).count()).toBe(1);
});

interface Violation {
  readonly id: string;
  readonly impact: string;
}

test.each([
  ["light", { width: 1280, height: 900 }],
  ["dark", { width: 390, height: 844 }],
] as const)("is accessible with callers, problems and workers that are out: %s, %p", async (colorScheme, viewport) => {
  const page = await open("overview", { colorScheme, viewport, bypassCSP: true });
  await page.locator(".callers tbody tr").first().waitFor();
  await page.evaluate(AXE);
  const check = async (): Promise<void> => {
    await painted(page);
    const { violations } = (await page.evaluate("axe.run()")) as { violations: readonly Violation[] }; // Axe's own shape.
    expect(violations.filter(({ impact }) => impact === "serious" || impact === "critical")).toEqual([]);
    expect(await page.evaluate("document.scrollingElement.scrollWidth - innerWidth")).toBe(0);
  };
  await check();
  for (const section of ["workers", "models", "jobs"]) {
    await showSection(page, section);
    await check();
  }
});
