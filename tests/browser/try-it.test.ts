import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Browser, Page } from "playwright-core";
import { startSampleBackend } from "../../src/demo/sample-backend.ts";
import { startSampleMcp } from "../../src/demo/sample-mcp.ts";
import { launchBrowser, openPage, signIn, type Watched } from "../support/browser.ts";
import { eventually } from "../support/eventually.ts";
import { API_KEY, TestServer } from "../support/test-server.ts";
import { startTestWorker } from "../support/test-worker.ts";

setDefaultTimeout(30_000);

// Every panel, against the demo's samples behind real workers, and the curl line beside it in a real shell.

let browser: Browser;
let server: TestServer;
let watched: Watched;
let page: Page;
const running: { stop(): Promise<void> }[] = [];

beforeAll(async () => {
  browser = await launchBrowser();
  server = new TestServer({ plugins: ["llm", "asr", "mcp", "transfer"] });
  const sample = startSampleBackend();
  const mcp = startSampleMcp();
  const shared = { server: server.url, drainTimeoutMs: 0 };
  const workers = [
    startTestWorker({
      ...shared,
      kinds: ["llm"],
      backend: sample.url,
      models: ["moorage-sample-chat", "moorage-sample-embed"],
    }),
    startTestWorker({ ...shared, kinds: ["asr"], backend: sample.url, models: ["moorage-sample-transcriber"] }),
    startTestWorker({ ...shared, kinds: ["mcp"], mcpUrl: mcp.url, id: "tools", authToken: "relay-token" }),
  ];
  running.push(server, sample, mcp, ...workers);
  await Promise.all(workers.map(({ registered }) => registered));
});
afterAll(async () => {
  await browser.close();
  for (const each of running.splice(0).reverse()) await each.stop();
});
beforeEach(async () => {
  watched = await openPage(browser);
  page = watched.page;
});
afterEach(async () => {
  const { complaints } = watched;
  await watched.close();
  expect(complaints).toEqual([]);
});

async function openPanel(panel: string): Promise<void> {
  await signIn(page, server.url);
  await page.goto(`${server.url}/state#playground?panel=${panel}`);
  await page.waitForSelector(`[data-panel=${panel}]`);
}

/** Runs the panel's command as if it had been pasted into a shell. */
async function runLine(panel: string, directory = "."): Promise<string> {
  const line = await page.locator(`${panel} .curl code`).textContent();
  const shell = Bun.spawn(["sh", "-c", `${line} -sS`], {
    cwd: directory,
    env: { PATH: process.env["PATH"], MOORAGE_KEY: API_KEY, AUTH_TOKEN: "relay-token" },
    stdout: "pipe",
    stderr: "pipe",
  });
  const [said, complained] = await Promise.all([shell.stdout.text(), shell.stderr.text(), shell.exited]);
  expect(complained).toBe("");
  return said;
}

test("the chat panel streams an answer, and a button stops it", async () => {
  await openPanel("chat");
  const chat = "[data-panel=chat]";
  await page.fill("#chat-draft", "What floats?");
  expect(await runLine(chat)).toContain("data: [DONE]");
  await page.click(`${chat} button.main`);
  await page.locator(`${chat} .message.assistant`, { hasText: "You asked: What floats?" }).waitFor();
  await page.locator(`${chat} [role=status]`, { hasText: "first text after" }).waitFor();

  // The command is the request that the button would send, including the conversation so far.
  await page.fill("#chat-draft", "And what sinks?");
  const line = await page.locator(`${chat} .curl code`).textContent();
  expect(line).toMatch(/"What floats\?".*"assistant".*"And what sinks\?"/s);
  expect(await runLine(chat)).toContain("data: [DONE]");

  await page.fill("#chat-draft", `Say it slowly: ${"a very long text ".repeat(200)}`);
  await page.click(`${chat} button.main`);
  await page.locator(`${chat} .message.assistant`).nth(1).locator("text=This").waitFor();
  await page.locator(`${chat} button`, { hasText: "Stop" }).click();
  await page.locator(`${chat} button`, { hasText: "Stop" }).waitFor({ state: "hidden" });
  expect((await page.locator(`${chat} .message.assistant`).nth(1).textContent())?.length).toBeLessThan(3000);
  // The newest text is visible unless the reader has scrolled up.
  const log = page.locator("#chat-messages");
  const toGo = (): Promise<number> =>
    log.evaluate(({ scrollHeight, scrollTop, clientHeight }) => scrollHeight - scrollTop - clientHeight);
  expect(await toGo()).toBeLessThan(40);
});

test("the chat panel lays out Markdown, and shows HTML as text", async () => {
  await openPanel("chat");
  const chat = "[data-panel=chat]";
  const answer = page.locator(`${chat} .message.assistant .said`);
  await page.fill(
    "#chat-draft",
    "**bold** `code` <img src=x onerror=alert(1)> [bad](javascript:alert(1)) [good](https://example.com) ![pic](https://example.com/a.png)",
  );
  await page.click(`${chat} button.main`);
  await page.locator(`${chat} [role=status]`, { hasText: "tokens/s" }).waitFor();
  await answer.locator("strong", { hasText: "bold" }).waitFor();
  await answer.locator("code", { hasText: "code" }).waitFor();
  expect(await answer.textContent()).toContain("<img src=x onerror=alert(1)>");
  const links = await answer.locator("a").evaluateAll((all) => all.map((each) => each.getAttribute("href")));
  expect(links).toEqual(["https://example.com", "https://example.com/a.png"]);
  expect(await answer.locator("img").count()).toBe(0);
  // Who answers is called by the model's name.
  await page.locator(`${chat} .message.assistant > b`, { hasText: "moorage-sample-chat" }).waitFor();
});

test("the chat panel offers chat models only, and sends the settings", async () => {
  await openPanel("chat");
  expect(await page.locator("#chat-model option").allTextContents()).toEqual(["moorage-sample-chat"]);
  await page.click("text=Settings");
  await page.fill("#chat-system", "Answer in rhymes.");
  await page.fill("#chat-temperature", "0.2");
  await page.fill("#chat-max-tokens", "3");
  const line = await page.locator("[data-panel=chat] .curl code").textContent();
  expect(line).toContain(
    '"temperature":0.2,"max_tokens":3,"messages":[{"role":"system","content":"Answer in rhymes."}',
  );
  await page.click("[data-panel=chat] button.main");
  await page.locator("[data-panel=chat] [role=status]", { hasText: "first text after" }).waitFor();
  expect((await page.locator(".message.assistant .said").textContent())?.split(" ").length).toBeLessThan(6);
});

test("panels without a worker offer nothing but the way to add one", async () => {
  const empty = new TestServer({ plugins: ["llm", "asr", "mcp", "transfer"] });
  try {
    await signIn(page, empty.url, "playground");
    for (const panel of ["Chat", "Embeddings", "Speech", "MCP tools"]) {
      await page.locator(".playground .picks button", { hasText: panel }).click();
      await page.locator("[data-panel]:visible >> text=Add a worker").waitFor();
      expect(
        await page.locator("[data-panel]:visible button:visible, [data-panel]:visible select:visible").count(),
      ).toBe(0);
    }
    await eventually(() => page.url().includes("#playground?panel=mcp"), "the address names the panel");
  } finally {
    // Otherwise the page would complain about the end of its stream.
    await page.goto("about:blank");
    await empty.stop();
  }
});

test("the embedding panel compares two texts", async () => {
  await openPanel("embeddings");
  const embed = "[data-panel=embeddings]";
  expect(await page.inputValue("#embed-model")).toBe("moorage-sample-embed");
  await page.click(`${embed} button.main`);
  await page.locator(`${embed} output`, { hasText: /Cosine similarity [\d.]+/ }).waitFor();
  expect(JSON.parse(await runLine(embed)).data).toHaveLength(2);
});

describe("the transcription panel", () => {
  test("transcribes a file", async () => {
    await openPanel("speech");
    const panel = "[data-panel=speech]";
    await page.setInputFiles("#transcribe-file", "docs/sample.wav");
    await page.click(`${panel} button.main`);
    await page.locator(`${panel} .result`, { hasText: "seconds" }).waitFor();
    expect(await runLine(panel, "docs")).toContain("transcript.text.done");
  });

  test("records from the microphone and transcribes the recording", async () => {
    await openPanel("speech");
    const panel = "[data-panel=speech]";
    await page.locator(`${panel} button`, { hasText: "Record" }).click();
    await page.locator(`${panel} button`, { hasText: "Stop recording" }).waitFor();
    await Bun.sleep(500); // Real time: a recording is as long as it takes.
    await page.locator(`${panel} button`, { hasText: "Stop recording" }).click();
    await page.locator(`${panel} .chosen`, { hasText: "recording." }).waitFor();
    await page.click(`${panel} button.main`);
    await page.locator(`${panel} .result`, { hasText: "sample" }).waitFor();
  });
});

test("the MCP panel lists a tool and calls it through a form", async () => {
  await openPanel("mcp");
  const panel = "[data-panel=mcp]";
  await page.selectOption("#mcp-relay", "tools");
  await page.locator(`${panel} button`, { hasText: "List tools" }).click();
  await page.locator(`${panel} [role=alert]`, { hasText: "requires its token" }).waitFor();
  watched.complaints.splice(0); // The browser's word on the 401.
  await page.fill("#mcp-token", "relay-token");
  await page.locator(`${panel} button`, { hasText: "List tools" }).click();
  await page.selectOption("#mcp-tool", "add");
  await page.locator(`${panel} .field`, { hasText: "a required" }).locator("input").fill("2");
  await page.locator(`${panel} .field`, { hasText: "b required" }).locator("input").fill("40");
  await page.locator(`${panel} button`, { hasText: /^Call$/ }).click();
  await page.locator(`${panel} .result`, { hasText: "42" }).waitFor();
  expect(await runLine(panel)).toContain('"text":"42"');
});

test("the transfer panel sends a file to the reader that runs the command line", async () => {
  await openPanel("transfer");
  const panel = "[data-panel=transfer]";
  await page.setInputFiles("#transfer-file", {
    name: "notes.txt",
    mimeType: "text/plain",
    buffer: Buffer.from("ahoy"),
  });
  await page.click(`${panel} button.main`);
  await page.locator(`${panel} [role=status]`, { hasText: "Waiting for the other side" }).waitFor();
  const directory = `${import.meta.dir}/../../node_modules/.cache/try-it-${process.pid}`;
  await Bun.$`mkdir -p ${directory}`;
  try {
    await runLine(panel, directory);
    expect(await Bun.file(`${directory}/notes.txt`).text()).toBe("ahoy");
    await page.locator(`${panel} [role=status]`, { hasText: "The other side has all of it." }).waitFor();
  } finally {
    await Bun.$`rm -r ${directory}`;
  }
});

test("the transfer panel takes back a file that nobody has read yet", async () => {
  await openPanel("transfer");
  const panel = "[data-panel=transfer]";
  await page.setInputFiles("#transfer-file", { name: "a.txt", mimeType: "text/plain", buffer: Buffer.from("ahoy") });
  await page.click(`${panel} button.main`);
  await page.locator(`${panel} [role=status]`, { hasText: "Waiting for the other side" }).waitFor();
  const line = await page.locator(`${panel} .curl code`).textContent();
  const channel = line?.match(/api\/transfer\/([\w-]+)/)?.[1] ?? "no channel in the line";
  await page.locator(`${panel} button`, { hasText: "Stop" }).click();
  await page.locator(`${panel} [role=status]`, { hasText: "Stopped" }).waitFor();
  // A command that names the channel would wait for a writer that is gone.
  await page.locator(`${panel} .curl`).waitFor({ state: "hidden" });
  expect(await page.locator(`${panel} .curl code`).textContent()).not.toContain(channel);
});
