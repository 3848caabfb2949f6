import { describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Page } from "playwright-core";
import { startSampleBackend } from "../../src/demo/sample-backend.ts";
import { startSampleMcp } from "../../src/demo/sample-mcp.ts";
import { KeyBook } from "../../src/keys/key-book.ts";
import { createMemoryRecords } from "../../src/keys/key-records.ts";
import { TenantBook } from "../../src/keys/tenant-book.ts";
import { createMemoryTenants } from "../../src/keys/tenant-records.ts";
import { systemClock } from "../../src/system/clock.ts";
import { signIn } from "../support/browser.ts";
import { BrowserPages } from "../support/browser-pages.ts";
import type { Config } from "../support/default-config.ts";
import { eventually } from "../support/eventually.ts";
import { PastedLines } from "../support/pasted-lines.ts";
import { API_KEY, CLIENT_KEY, TestServer } from "../support/test-server.ts";
import { startTestWorker } from "../support/test-worker.ts";

// "Add a worker" and "Use it", with the lines that they show pasted into a real shell.

setDefaultTimeout(60_000);

const pages = new BrowserPages();

/** A server that makes keys. */
function startWithKeys(overrides: Partial<Config> = {}): { readonly server: TestServer; readonly book: KeyBook } {
  const book = new KeyBook({ records: createMemoryRecords(), clock: systemClock, maxRequests: 1000 });
  const tenants = new TenantBook({ records: createMemoryTenants(), clock: systemClock });
  const opened = { book, tenants, isKept: true, file: undefined };
  const config = { plugins: ["llm", "asr", "mcp", "transfer"], adminKeys: [API_KEY], ...overrides };
  const server = new TestServer(config, {}, undefined, undefined, undefined, opened);
  pages.running.push(server);
  return { server, book };
}

function startWithoutKeys(overrides: Partial<Config> = {}): TestServer {
  const server = new TestServer({ plugins: ["llm"], ...overrides });
  pages.running.push(server);
  return server;
}

function running<T extends { stop(): unknown }>(each: T): T {
  pages.running.push({ stop: async () => void (await each.stop()) });
  return each;
}

/** Opens a place of the dashboard by its address. */
async function openPlace(server: TestServer, hash: string, options = {}): Promise<Page> {
  const page = await pages.open(options);
  if (server.config.apiKeys.length > 0) await signIn(page, server.url);
  await page.goto(`${server.url}/state${hash}`);
  await page.waitForSelector(".link.live");
  return page;
}

const line = async (page: Page): Promise<string> =>
  (await page.locator("[data-line=main]:visible").textContent()) ?? "no line";

describe("“Add a worker”", () => {
  test("makes a line that joins a worker, shows it as it arrives, and its first answer", async () => {
    const { server, book } = startWithKeys();
    const sample = running(startSampleBackend());
    const shell = running(new PastedLines());
    const page = await openPlace(server, "#add?kind=llm");
    await page.fill("#add-address", sample.url);
    await page.click("text=Make the line");
    const made = await line(page);
    expect(made).toMatch(/^npx -y \S+\/join\/moorage-\S+\.tgz worker llm --server \S+ --join mj_\S+ --backend \S+$/);
    await page.waitForSelector("text=Waiting for the worker…");
    shell.start(made);
    await page.waitForSelector("[data-phase=answered] >> text=You asked: Say hello", { timeout: 30_000 });
    await page.waitForSelector("[data-phase] .tag >> text=moorage-sample-embed");
    await page.waitForSelector("[data-phase] >> text=/moorage-sample-chat: first text after/");
    expect(book.list().map(({ kind }) => kind)).toEqual(["join", "worker"]);
    await page.click("[data-phase] >> text=Use it");
    await page.waitForSelector("[data-program=curl]");
    expect(await page.inputValue("#use-model")).toBe("moorage-sample-chat");
  });

  test("asks a worker for speech to transcribe a recording, and a relay for its tools", async () => {
    const { server } = startWithKeys();
    const sample = running(startSampleBackend());
    const mcp = running(startSampleMcp());
    const shell = running(new PastedLines());
    const page = await openPlace(server, "#add?kind=asr");
    await page.fill("#add-address", sample.url);
    await page.click("text=Make the line");
    shell.start(await line(page));
    await page.waitForSelector("[data-phase=answered] >> text=/seconds/", { timeout: 30_000 });
    await page.click(".choice >> text=MCP server");
    await page.waitForSelector("[data-phase]", { state: "detached" });
    await page.selectOption("#add-reach", "url");
    await page.fill("#add-url", mcp.url);
    await page.fill("#add-id", "harbour");
    // The token let in the one worker that it was for.
    await page.click("text=Revoke it");
    await page.click("text=Make the line");
    shell.start(await line(page));
    await page.waitForSelector("[data-phase=answered] .first-answer >> text=add", { timeout: 30_000 });
  });

  test("says why a worker is not ready", async () => {
    const { server } = startWithKeys();
    const page = await openPlace(server, "#add?program=vllm");
    await page.click("text=Make the line");
    const token = /mj_\S+/.exec(await line(page))?.[0];
    await server.worker({
      client_key: undefined,
      join_token: token,
      worker_name: "rack 7",
      models: [],
      max_concurrency: 0,
      status: "not_ready",
      status_reason: "no model server answers at 127.0.0.1:8000",
    });
    await page.waitForSelector("[data-phase=not_ready] >> text=rack 7");
  });

  test("revokes a token that nobody has copied when the viewer leaves, and keeps one that was", async () => {
    const { server, book } = startWithKeys();
    const page = await openPlace(server, "#add");
    const statuses = (): readonly boolean[] => book.list().map(({ revokedAt }) => revokedAt === undefined);
    await page.click("text=Make the line");
    await line(page);
    await page.click('header a[href="#workers"]');
    await eventually(() => statuses()[0] === false, "the token is revoked");
    await page.click('header a[href="#add"]');
    await page.click("text=Make the line");
    await page.locator(".command button.main:visible").click();
    await page.click('header a[href="#workers"]');
    await page.click('header a[href="#add"]');
    await page.waitForSelector("[data-line=main]:visible");
    expect(statuses()).toEqual([false, true]);
    // Neither the address nor the storage of the browser has it.
    const kept = await page.evaluate("location.href + JSON.stringify({ ...localStorage, ...sessionStorage })");
    expect(kept).not.toContain("mj_");
  });

  test("names the client key where the server makes no keys, and none where it asks for none", async () => {
    const server = startWithoutKeys();
    const sample = running(startSampleBackend());
    const shell = running(new PastedLines());
    const page = await openPlace(server, "#add");
    await page.fill("#add-address", sample.url);
    expect(await line(page)).toStartWith("CLIENT_KEY=your-client-key npx ");
    await page.waitForSelector("text=Waiting for the worker…");
    shell.start((await line(page)).replace("CLIENT_KEY=your-client-key ", ""), { CLIENT_KEY });
    await page.waitForSelector("[data-phase=answered]", { timeout: 30_000 });
  });

  test("needs no key at a server that is open", async () => {
    const server = startWithoutKeys({ apiKeys: [], clientKeys: [] });
    const page = await openPlace(server, "#add");
    expect(await line(page)).toMatch(/^npx -y \S+ worker llm --server \S+ --backend \S+$/);
    await page.click(".segments >> text=Windows");
    expect(await line(page)).toStartWith("& ([scriptblock]");
  });

  test("tells a viewer whom to ask", async () => {
    const { server } = startWithKeys();
    const page = await openPlace(server, "#add");
    await page.evaluate(`document.body.dataset.role = "viewer"`);
    await page.waitForSelector("text=Ask an admin of this server");
    expect(await page.locator("text=Make the line").isVisible()).toBe(false);
  });
});

describe("“Use it”", () => {
  test("shows lines that run as pasted, with a key that it makes", async () => {
    const { server, book } = startWithKeys();
    await startSample(server);
    const shell = running(new PastedLines());
    const page = await openPlace(server, "#use");
    await page.fill("#use-key-name", "my laptop");
    await page.selectOption("#use-key-models", "this");
    await page.click("form button >> text=Make a key");
    const key = page.locator("[data-line=key][data-place='Linux and macOS']", { hasText: "mk_" });
    const setKey = (await key.textContent()) ?? "no key";
    expect(book.list()).toMatchObject([{ kind: "client", name: "my laptop", models: ["moorage-sample-chat"] }]);
    const curl = await page.locator("[data-program=curl] [data-line=line]").textContent();
    expect(await shell.run(`${setKey}\n${curl}`)).toContain("You asked: Say hello.");
    await page.selectOption("#use-model", "moorage-sample-embed");
    const embed = page.locator("[data-program=curl] [data-line=line]", { hasText: "embeddings" });
    expect(await shell.run(`${await embed.textContent()}`, { MOORAGE_KEY: API_KEY })).toContain('"embedding":[');
    // The key is gone once the viewer has left.
    await page.click('header a[href="#workers"]');
    await page.click('header a[href="#use"]');
    await page.waitForSelector("text=Make a key named");
    expect(await page.content()).not.toContain("mk_");
  });

  test("opens at the model and the program of its address", async () => {
    const { server } = startWithKeys();
    await startSample(server);
    const page = await openPlace(server, "#use?model=moorage-sample-chat&program=codex");
    await page.locator("[data-program=codex] code", { hasText: 'model = "moorage-sample-chat"' }).waitFor();
    await page.click(".picks >> text=Cursor");
    await eventually(() => page.url().includes("program=cursor"), "the address names the program");
    await page.reload();
    await page.waitForSelector("[data-program=cursor] >> text=Override OpenAI Base URL");
  });

  test("asks for no key where the server asks for none, and says that no model is there", async () => {
    const server = startWithoutKeys({ apiKeys: [], clientKeys: [] });
    const page = await openPlace(server, "#use");
    await page.waitForSelector("text=This server asks for no key");
    await page.waitForSelector("text=No model is served now");
    expect(await page.locator("[data-line=line]").textContent()).not.toContain("MOORAGE_KEY");
  });
});

async function startSample(server: TestServer): Promise<void> {
  const sample = running(startSampleBackend());
  const models = ["moorage-sample-chat", "moorage-sample-embed"];
  const worker = running(startTestWorker({ server: server.url, backend: sample.url, models, drainTimeoutMs: 0 }));
  await worker.registered;
}
