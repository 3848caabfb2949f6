import { expect, setDefaultTimeout, test } from "bun:test";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";
import type { CallJson } from "../../src/calls/call-text.ts";
import { encodeResponse } from "../../src/wire/frame.ts";
import type { McpCalled } from "../../src/wire/mcp-call.ts";
import { showPart } from "../support/browser.ts";
import { BrowserPages } from "../support/browser-pages.ts";
import { MCP_JSON, McpServer } from "../support/mcp-server.ts";
import type { NativeWorker } from "../support/native-worker.ts";

setDefaultTimeout(30_000);

// The scripts are injected into the page, whose policy would block foreign ones.
const AXE = await Bun.file(fileURLToPath(import.meta.resolve("axe-core/axe.min.js"))).text();
const EVIL = `"><img src=x onerror=alert(1)>`;
const pages = new BrowserPages();

async function start(): Promise<{ readonly server: McpServer; readonly relay: NativeWorker }> {
  const server = new McpServer();
  pages.running.push(server);
  return { server, relay: await server.relay() };
}

async function call(server: McpServer, relay: NativeWorker, name: string, called?: McpCalled): Promise<void> {
  const response = server.rpc({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name } });
  const { id } = await relay.request();
  const body = new TextEncoder().encode('{"jsonrpc":"2.0","id":1,"result":{}}');
  relay.send(encodeResponse(id, { status: 200, headers: MCP_JSON, ...(called && { called }) }, body, true));
  await (await response).text();
}

const rowsOf = (page: Page) => page.locator("#tab-mcp section[aria-label='Calls'] tbody tr");

test("calls are shown with caller, tool and outcome, whatever these are called, and new ones by themselves", async () => {
  const { server, relay } = await start();
  await call(server, relay, EVIL, { caller: "ann", arguments: '{"path":"/a"}' });
  const page = await pages.openTab(server.url, "mcp", { bypassCSP: true });
  await showPart(page, "mcp", "Calls");
  const evil = rowsOf(page).filter({ hasText: EVIL });
  await evil.waitFor();
  for (const text of ["ann", "named by the relay", "tools", "tools/call", "completed", '{"path":"/a"}'])
    await evil.locator(`text=${text}`).first().waitFor();
  await page.waitForSelector("#tab-mcp >> text=1 calls");
  await call(server, relay, "write_file", { denied: true });
  const denied = rowsOf(page).filter({ hasText: "write_file" });
  await denied.locator(".badge", { hasText: "denied" }).waitFor();
  expect(await page.locator("#tab-mcp img").count()).toBe(0);
  expect(await page.evaluate("document.documentElement.scrollWidth - innerWidth")).toBe(0);
  await page.evaluate(AXE);
  const { violations } = (await page.evaluate(`axe.run("#tab-mcp")`)) as { violations: { id: string }[] }; // Axe's own shape.
  expect(violations.map(({ id }) => id)).toEqual([]);
});

test("calls are searched at the server, so that words find old ones, and the download has what is shown", async () => {
  const { server, relay } = await start();
  await call(server, relay, "the_first");
  for (let at = 0; at < 310; at += 1) await call(server, relay, `later_${at}`);
  await call(server, relay, "denied_tool", { denied: true });
  const page = await pages.openTab(server.url, "mcp");
  await showPart(page, "mcp", "Calls");
  await page.waitForSelector("#tab-mcp >> text=the newest 300 calls");
  expect(await rowsOf(page).filter({ hasText: "the_first" }).count()).toBe(0);
  await page.fill("#mcp-calls-filter", "TOOLS the_first");
  await rowsOf(page).filter({ hasText: "the_first" }).waitFor();
  expect(await rowsOf(page).count()).toBe(1);
  await page.fill("#mcp-calls-filter", "");
  await page.selectOption("#mcp-calls-outcome", "denied");
  await rowsOf(page).filter({ hasText: "denied_tool" }).waitFor();
  await page.waitForSelector("#tab-mcp >> text=1 calls");
  const download = page.waitForEvent("download");
  await page.click("#tab-mcp >> text=Download as JSON lines");
  const file = await download;
  expect(file.suggestedFilename()).toBe("mcp-calls.jsonl");
  const lines = (await Bun.file((await file.path()) ?? "").text()).trimEnd().split("\n");
  expect(lines.map((line) => (JSON.parse(line) as CallJson).name)).toEqual(["denied_tool"]); // the lines of the route
});

test("a list without calls says so", async () => {
  const { server } = await start();
  const page = await pages.openTab(server.url, "mcp");
  await showPart(page, "mcp", "Calls");
  await page.waitForSelector("#tab-mcp >> text=There are no such calls.");
});
