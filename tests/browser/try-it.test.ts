import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Browser, Page } from "playwright-core";
import { startSampleBackend } from "../../src/demo/sample-backend.ts";
import { startSampleMcp } from "../../src/demo/sample-mcp.ts";
import { launchBrowser, openPage, signIn, type Watched } from "../support/browser.ts";
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

const openPanel = (): Promise<void> => signIn(page, server.url, "playground");

/** Runs the panel's command as if it had been pasted into a shell. */
async function runLine(panel: string, directory = "."): Promise<string> {
  const line = await page.locator(`${panel} .curl code`).textContent();
  const shell = Bun.spawn(["sh", "-c", `${line} -sS`], {
    cwd: directory,
    env: { PATH: process.env["PATH"], API_KEY, AUTH_TOKEN: "relay-token" },
    stdout: "pipe",
    stderr: "pipe",
  });
  const [said, complained] = await Promise.all([shell.stdout.text(), shell.stderr.text(), shell.exited]);
  expect(complained).toBe("");
  return said;
}

test("the chat panel streams an answer, and a button stops it", async () => {
  await openPanel();
  const chat = '[x-data="chat"]';
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
  await page.locator(`${chat} button:disabled`, { hasText: "Stop" }).waitFor();
  expect((await page.locator(`${chat} .message.assistant`).nth(1).textContent())?.length).toBeLessThan(3000);
  // The newest text is visible unless the reader has scrolled up.
  const log = page.locator("#chat-messages");
  const toGo = (): Promise<number> =>
    log.evaluate(({ scrollHeight, scrollTop, clientHeight }) => scrollHeight - scrollTop - clientHeight);
  expect(await toGo()).toBeLessThan(40);
});

test("the embedding panel compares two texts", async () => {
  await openPanel();
  const embed = '[x-data="embed"]';
  expect(await page.inputValue("#embed-model")).toBe("moorage-sample-embed");
  await page.click(`${embed} button.main`);
  await page.locator(`${embed} output`, { hasText: /\d+ % similar/ }).waitFor();
  expect(JSON.parse(await runLine(embed)).data).toHaveLength(2);
});

describe("the transcription panel", () => {
  test("transcribes a file", async () => {
    await openPanel();
    const panel = '[x-data="transcribe"]';
    await page.setInputFiles("#transcribe-file", "docs/sample.wav");
    await page.click(`${panel} button.main`);
    await page.locator(`${panel} .result`, { hasText: "seconds" }).waitFor();
    expect(await runLine(panel, "docs")).toContain("transcript.text.done");
  });

  test("records from the microphone and transcribes the recording", async () => {
    await openPanel();
    const panel = '[x-data="transcribe"]';
    await page.locator(`${panel} button`, { hasText: "Record" }).click();
    await page.locator(`${panel} button`, { hasText: "Stop recording" }).waitFor();
    await Bun.sleep(500); // Real time: a recording is as long as it takes.
    await page.locator(`${panel} button`, { hasText: "Stop recording" }).click();
    await page.locator(`${panel} [role=status]`, { hasText: "recording." }).waitFor();
    await page.click(`${panel} button.main`);
    await page.locator(`${panel} .result`, { hasText: "sample" }).waitFor();
  });
});

test("the MCP panel lists a tool and calls it through a form", async () => {
  await openPanel();
  const panel = '[x-data="mcp"]';
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
  await openPanel();
  const panel = '[x-data="transfer"]';
  await page.setInputFiles("#transfer-file", {
    name: "notes.txt",
    mimeType: "text/plain",
    buffer: Buffer.from("ahoy"),
  });
  await page.click(`${panel} button.main`);
  await page.locator(`${panel} [role=status]`, { hasText: "Waiting for the reader" }).waitFor();
  const directory = `${import.meta.dir}/../../node_modules/.cache/try-it-${process.pid}`;
  await Bun.$`mkdir -p ${directory}`;
  try {
    await runLine(panel, directory);
    expect(await Bun.file(`${directory}/notes.txt`).text()).toBe("ahoy");
    await page.locator(`${panel} [role=status]`, { hasText: "The transfer is complete." }).waitFor();
  } finally {
    await Bun.$`rm -r ${directory}`;
  }
});

test("the transfer panel takes back a file that nobody has read yet", async () => {
  await openPanel();
  const panel = '[x-data="transfer"]';
  await page.setInputFiles("#transfer-file", { name: "a.txt", mimeType: "text/plain", buffer: Buffer.from("ahoy") });
  await page.click(`${panel} button.main`);
  await page.locator(`${panel} [role=status]`, { hasText: "Waiting for the reader" }).waitFor();
  const line = await page.locator(`${panel} .curl code`).textContent();
  const channel = line?.match(/api\/transfer\/([\w-]+)/)?.[1] ?? "no channel in the line";
  await page.locator(`${panel} button`, { hasText: "Stop" }).click();
  await page.locator(`${panel} [role=status]`, { hasText: "Stopped" }).waitFor();
  // A command that names the channel would wait for a writer that is gone.
  expect(await page.locator(`${panel} .curl code`).textContent()).not.toContain(channel);
});
