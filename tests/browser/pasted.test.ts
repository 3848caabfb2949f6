import { describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Page } from "playwright-core";
import { startSampleBackend } from "../../src/demo/sample-backend.ts";
import { startSampleMcp } from "../../src/demo/sample-mcp.ts";
import { KeyBook } from "../../src/keys/key-book.ts";
import { createMemoryRecords } from "../../src/keys/key-records.ts";
import { TenantBook } from "../../src/keys/tenant-book.ts";
import { createMemoryTenants } from "../../src/keys/tenant-records.ts";
import { packageTarball } from "../../src/packing/tarball.ts";
import { systemClock } from "../../src/system/clock.ts";
import { signIn } from "../support/browser.ts";
import { BrowserPages } from "../support/browser-pages.ts";
import { lacks } from "../support/lacks.ts";
import { PastedLines } from "../support/pasted-lines.ts";
import { API_KEY, TestServer } from "../support/test-server.ts";
import { startTestWorker } from "../support/test-worker.ts";

// Every command that any page of the dashboard shows is collected, and those that can run here are run as pasted.

setDefaultTimeout(180_000);

const pages = new BrowserPages();

function running<T extends { stop(): unknown }>(each: T): T {
  pages.running.push({ stop: async () => void (await each.stop()) });
  return each;
}

function start(): TestServer {
  const book = new KeyBook({ records: createMemoryRecords(), clock: systemClock, maxRequests: 1000 });
  const tenants = new TenantBook({ records: createMemoryTenants(), clock: systemClock });
  const opened = { book, tenants, isKept: true, file: undefined };
  const config = { plugins: ["llm", "asr", "mcp", "transfer"], adminKeys: [API_KEY] };
  return running(new TestServer(config, {}, undefined, undefined, undefined, opened, packageTarball));
}

/** The places of the dashboard that show commands, with a step that makes one show more. */
const PLACES: readonly (readonly [hash: string, step?: (page: Page) => Promise<unknown>])[] = [
  ["#overview"],
  ["#workers"],
  ["#models"],
  ["#jobs"],
  ["#mcp"],
  ["#mcp/tools"],
  ["#transfers"],
  ["#keys"],
  ["#usage"],
  ["#playground?panel=chat"],
  ["#playground?panel=embeddings"],
  ["#playground?panel=speech", (page) => page.setInputFiles("#transcribe-file", "docs/sample.wav")],
  ["#playground?panel=mcp", (page) => page.selectOption("#mcp-relay", "tools")],
  ["#add", (page) => page.locator("button", { hasText: "Make the line" }).click()],
  ["#use?program=curl"],
  ["#use?program=python"],
  ["#use?program=typescript"],
  ["#use?program=claude-code"],
  ["#use?program=codex"],
  ["#use?program=opencode"],
  ["#use?program=open-webui"],
  ["#use?program=continue"],
  ["#use?program=n8n"],
];

/** Commands that other tests run, or nothing here can, by how they begin. */
const ELSEWHERE: readonly RegExp[] = [
  /^npx -y \S+\/join\/moorage-/, // below, and tests/browser/connect.test.ts
  /^curl -fsSL \S+\/join\.sh \| sh /, // the tests of /join
  /^claude mcp add /, // tests/real/mcp-ready-lines.test.ts
  /^export ANTHROPIC_BASE_URL=/, // tests/real/use-lines.test.ts
  /^(?:pip|npm) install openai$/,
  /^export OPENAI_API_BASE_URL=\S+ .*\n.*\nopen-webui serve$/, // docs/clients.md says that nobody has tried it
  /^\$env:MOORAGE_KEY = /, // PowerShell
];
/** Texts that are no commands: files, and values. */
const NO_COMMAND =
  /^(?:https?:\/\/\S+|import os\n[\s\S]*|import OpenAI [\s\S]*|model = [\s\S]*|\{[\s\S]*|name: Moorage\n[\s\S]*|moorage-sample-\S+)$/;

test("every command on every page is one that runs as pasted", async () => {
  const server = start();
  const sample = running(startSampleBackend());
  const mcp = running(startSampleMcp());
  const shared = { server: server.url, drainTimeoutMs: 0 };
  const models = ["moorage-sample-chat", "moorage-sample-embed"];
  for (const settings of [
    { kinds: ["llm"], backend: sample.url, models },
    { kinds: ["asr"], backend: sample.url, models: ["moorage-sample-transcriber"] },
    { kinds: ["mcp"], mcpUrl: mcp.url, id: "tools" },
  ])
    await running(startTestWorker({ ...shared, ...settings })).registered;
  const page = await pages.open();
  await signIn(page, server.url);
  const shell = running(new PastedLines());
  await Bun.write(`${shell.home}/sample.wav`, Bun.file("docs/sample.wav"));
  const found = new Map<string, string>();
  for (const [hash, step] of PLACES) {
    const section = /^#([^/?]+)/.exec(hash)?.[1];
    await page.goto(`${server.url}/state${hash}`);
    await page.locator(`#tab-${section} :is(h2, table):visible, #tab-overview .tile:visible`).first().waitFor();
    await step?.(page);
    const codes = page.locator(`#tab-${section} .command code, #tab-${section} .curl code`);
    if (section !== undefined && ["use", "add", "playground"].includes(section))
      await codes.filter({ visible: true }).first().waitFor();
    for (const text of await codes.filter({ visible: true }).allTextContents()) if (text !== "") found.set(text, hash);
    // A command in a sentence could not be copied.
    expect([hash, await page.locator(`#tab-${section}`).innerText()]).not.toEqual([
      hash,
      expect.stringMatching(/bun run /),
    ]);
  }
  const commands = [...found].filter(([text]) => !NO_COMMAND.test(text));
  const mine = commands.filter(([text]) => !ELSEWHERE.some((each) => each.test(text)));
  expect(mine.length).toBeGreaterThan(6);
  for (const [text, hash] of mine) {
    // `read` of a shell without a terminal gets the key from the pipe.
    const line = text.startsWith("read -rs ") ? `bash -c 'echo key | { ${text} && echo "$MOORAGE_KEY"; }'` : text;
    const said = await shell.run(line, { MOORAGE_KEY: API_KEY }).catch((error: unknown) => `FAILED ${error}`);
    expect([hash, text, said]).not.toEqual([hash, text, expect.stringContaining("FAILED")]);
    expect([hash, text, said]).not.toEqual([hash, text, expect.stringContaining('"error":{')]);
  }
});

const NPX = {
  name: "npx with a registry",
  isThere: () => Bun.which("npx") !== null,
  install: "on Debian: apt-get install npm",
};

describe.skipIf(lacks("the line of “Add a worker” with npx", NPX))("on a machine with Node alone", () => {
  test("the line that the page shows brings the worker and its first answer within 60 s of the copy", async () => {
    const server = start();
    const sample = running(startSampleBackend());
    const shell = running(new PastedLines(true));
    const page = await pages.open();
    await signIn(page, server.url);
    await page.goto(`${server.url}/state#add`);
    await page.fill("#add-address", sample.url);
    await page.click("text=Make the line");
    const line = await page.locator("[data-line=main]:visible").textContent();
    await page.locator(".command button.main:visible").click();
    const copiedAt = performance.now();
    shell.start(line ?? "no line");
    await page.waitForSelector("[data-phase=answered] .first-answer", { timeout: 120_000 });
    expect(performance.now() - copiedAt).toBeLessThan(60_000);
  });
});
