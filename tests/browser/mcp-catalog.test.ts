import { expect, setDefaultTimeout, test } from "bun:test";
import { fileURLToPath } from "node:url";
import { INVENTORY_PATH } from "../../src/wire/mcp-inventory.ts";
import { showPart } from "../support/browser.ts";
import { BrowserPages } from "../support/browser-pages.ts";
import { MCP_JSON, McpServer } from "../support/mcp-server.ts";

setDefaultTimeout(60_000);

const AXE = await Bun.file(fileURLToPath(import.meta.resolve("axe-core/axe.min.js"))).text();
const HOSTILE = "<img src=x onerror=alert(1)>";
const pages = new BrowserPages();

test("the catalogue shows what a relay offers and how to use it, whatever an MCP server calls its tools", async () => {
  const server = new McpServer();
  pages.running.push(server);
  const relay = await server.relay({ client_name: HOSTILE, info: { auth: "token", restricts: true } });
  const page = await pages.openTab(server.url, "mcp");
  await showPart(page, "mcp", "Catalogue");
  await page.locator(".catalog summary", { hasText: "tools" }).click();
  const request = await relay.request();
  expect(request.head.path).toBe(INVENTORY_PATH);
  const tools = [
    {
      name: "read_file",
      description: "Reads a file.\nAll of it.",
      inputSchema: { type: "object" },
      annotations: { readOnlyHint: true },
    },
    { name: HOSTILE, title: HOSTILE, description: HOSTILE, inputSchema: { [HOSTILE]: HOSTILE } },
  ];
  const prompts = [{ name: HOSTILE }];
  relay.head(request.id, 200, MCP_JSON, JSON.stringify({ tools, prompts, resources: [], resourceTemplates: [] }), true);
  await page.locator(".catalog .tool summary", { hasText: "read_file" }).click();
  await page.locator(".catalog .tool summary", { hasText: HOSTILE }).click();
  const panel = page.locator(".catalog");
  expect(await panel.getByText("read-only").isVisible()).toBe(true);
  expect(await panel.locator("[data-line=mcp]").textContent()).toBe(
    `claude mcp add --transport http tools ${server.url}/api/mcp/id/tools/mcp --header 'Authorization: Bearer $\{TOOLS_TOKEN}'`,
  );
  expect(await page.locator("img").count()).toBe(0);
  await page.getByRole("button", { name: "Reload" }).click();
  const again = await relay.request();
  expect(again.head.path).toBe(INVENTORY_PATH);
  relay.head(again.id, 200, MCP_JSON, JSON.stringify({ tools, prompts, resources: [], resourceTemplates: [] }), true);
  await panel.locator(".tool summary", { hasText: "read_file" }).waitFor();
  expect(await panel.getByText("Asking the relay…").isVisible()).toBe(false);
  await page.getByLabel("Lines for").selectOption("chatgpt");
  expect(await panel.getByText("Start the relay with --access connector").isVisible()).toBe(true);
  await page.evaluate(AXE);
  const { violations } = (await page.evaluate("axe.run()")) as { violations: { id: string }[] }; // Axe's own shape.
  expect(violations.map(({ id }) => id)).toEqual([]);
  await page.getByLabel("Filter by relay").fill("reads a");
  await panel.getByText("1 of 2 tools").waitFor();
  await page.getByLabel("Filter by relay").fill("nothing like it");
  await panel.getByText("No relay to show.").waitFor();
});

test("the catalogue says why it does not know what a relay offers", async () => {
  const server = new McpServer();
  pages.running.push(server);
  await server.relay({ info: { auth: "oauth" } });
  const page = await pages.openTab(server.url, "mcp");
  await showPart(page, "mcp", "Catalogue");
  await page.locator(".catalog summary", { hasText: "tools" }).click();
  await page.getByText("Callers sign in to this MCP server itself, so only they see what it offers.").waitFor();
});

test("the page of a relay shows its URL, a line for a client, and its tools with how often each was called", async () => {
  const server = new McpServer();
  pages.running.push(server);
  const relay = await server.relay({ info: { auth: "none" } });
  const page = await pages.openTab(server.url, "mcp");
  await page.locator("#tab-mcp tbody a.name", { hasText: "tools" }).click();
  const request = await relay.request();
  expect(request.head.path).toBe(INVENTORY_PATH);
  const tools = [{ name: "read_file", description: HOSTILE, inputSchema: {} }];
  const inventory = { tools, prompts: [], resources: [], resourceTemplates: [] };
  relay.head(request.id, 200, MCP_JSON, JSON.stringify(inventory), true);
  const shown = page.locator(".relay-page");
  await shown
    .locator(".command code", { hasText: `${server.url}/api/mcp/id/tools/mcp` })
    .first()
    .waitFor();
  await shown.locator("[data-line=mcp]", { hasText: "claude mcp add" }).waitFor();
  await shown.locator(".tool summary", { hasText: "read_file" }).waitFor();
  expect(await page.locator("img").count()).toBe(0);
  expect(page.url()).toEndWith("#mcp/tools");
  await page.getByText("← MCP servers").click();
  await page.getByRole("button", { name: /^Actions for/ }).click();
  await page.getByRole("menuitem", { name: "Drain…" }).click();
  await page.locator("#ask[open] >> text=Drain this worker?").waitFor();
  await page.locator("#ask button", { hasText: "Cancel" }).click();
  await page.locator("#tab-mcp tbody >> text=open").waitFor();
});

test("the page of a relay that is not connected says so", async () => {
  const server = new McpServer();
  pages.running.push(server);
  const page = await pages.openTab(server.url);
  await page.goto(`${server.url}/state#mcp/gone`);
  await page.locator(".relay-page [role=alert]:visible").waitFor();
  pages.complaints.splice(0); // The browser's word on the 404.
});
