import { expect, test } from "bun:test";
import type { Backend } from "../../../../src/answering/opening.ts";
import type { McpRules } from "../../../../src/wire/mcp-call.ts";
import { INVENTORY_PATH, type InventoryFacts } from "../../../../src/wire/mcp-inventory.ts";
import type { Inventory } from "../../../../src/worker/mcp/inventory.ts";
import { InventoryFault } from "../../../../src/worker/mcp/inventory-client.ts";
import { compileRules } from "../../../../src/worker/mcp/rules.ts";
import { withInventory } from "../../../../src/worker/mcp/serve-inventory.ts";

const FACTS: InventoryFacts = {
  tools: [{ name: "read_file", annotations: { readOnlyHint: true } }, { name: "write_file" }, { name: "read_secret" }],
  prompts: [{ name: "sum" }, { name: "review" }],
  resources: [{ uri: "file:///a" }, { uri: "db://b" }],
  resourceTemplates: [{ uriTemplate: "file:///{path}" }, { uriTemplate: "db://{table}" }],
  at: 1,
  isCut: false,
};
const passed = { kind: "refuse", code: "internal", message: "it was opened" } as const;
const backend: Backend = { open: () => passed };

function reading(read: Inventory["read"]): Inventory {
  return { read, changed: () => {} };
}

async function ask(given: Backend, rules?: McpRules): Promise<{ status: number; body: unknown }> {
  const caller = rules && { name: "ann", rules };
  const opening = given.open({ method: "GET", path: INVENTORY_PATH, headers: [], ...(caller ? { caller } : {}) });
  if (opening.kind === "answer") return { status: opening.status, body: opening.body };
  if (opening.kind !== "ask") return expect.unreachable();
  const { status, body } = await opening.ask(undefined, new AbortController().signal);
  return { status, body: JSON.parse(new TextDecoder().decode(body as Uint8Array)) }; // these answers are whole
}

test("every other request passes", () => {
  expect(withInventory(backend, undefined).open({ method: "POST", path: "/", headers: [] })).toBe(passed);
});

test("without rules the inventory is answered as it is", async () => {
  expect(
    await ask(
      withInventory(
        backend,
        reading(async () => FACTS),
      ),
    ),
  ).toEqual({ status: 200, body: FACTS });
});

test("a caller sees what both the caller and the relay allow", async () => {
  const relay = compileRules({ tools: ["read_*", "write_*"], prompts: ["s*"] });
  const given = withInventory(
    backend,
    reading(async () => FACTS),
    relay,
  );
  const { body } = await ask(given, { tools: ["*", "!read_secret"], resources: ["file:*"] });
  expect(body).toEqual({
    ...FACTS,
    tools: [FACTS.tools[0], FACTS.tools[1]],
    prompts: [{ name: "sum" }],
    resources: [{ uri: "file:///a" }],
    resourceTemplates: [{ uriTemplate: "file:///{path}" }],
  });
  const readOnly = await ask(given, { tools: ["@read-only"] });
  expect(readOnly.body).toMatchObject({ tools: [{ name: "read_file" }] });
});

test("an inventory that cannot be read is answered with the reason", async () => {
  const failing = reading(async () => {
    throw new InventoryFault("The MCP server does not list its tools.");
  });
  const body = { message: "The MCP server does not list its tools." };
  expect(await ask(withInventory(backend, failing))).toEqual({ status: 502, body });
});

test("a relay whose callers sign in to the MCP server has no inventory", async () => {
  expect(await ask(withInventory(backend, undefined))).toMatchObject({ status: 404 });
});
