import { describe, expect, test } from "bun:test";
import {
  MAX_DESCRIPTION_CHARS,
  MAX_ITEMS,
  MAX_NAME_CHARS,
  MAX_SCHEMA_CHARS,
  MAX_SCHEMA_DEPTH,
  toInventoryFacts,
  toPrompt,
  toTool,
} from "../../../src/wire/mcp-inventory.ts";

const NONE = { tools: [], prompts: [], resources: [], resourceTemplates: [] };

describe("inventories", () => {
  test("an inventory is read back as it was written", () => {
    const facts = {
      serverInfo: { name: "files", title: "Files", version: "1.2" },
      instructions: "Ask first.",
      tools: [
        {
          name: "read_file",
          title: "Read a file",
          description: "Reads.",
          inputSchema: { type: "object", properties: { path: { type: "string" } } },
          annotations: { readOnlyHint: true, destructiveHint: false },
        },
      ],
      prompts: [{ name: "sum", arguments: [{ name: "text", description: "The text", required: true }] }],
      resources: [{ uri: "file:///a", name: "a", mimeType: "text/plain" }],
      resourceTemplates: [{ uriTemplate: "file:///{path}", name: "any" }],
      at: 5,
      isCut: false,
    };
    expect(toInventoryFacts(JSON.parse(JSON.stringify(facts)))).toEqual(facts);
  });

  test.each([[undefined], [null], ["text"], [[]], [1]])("%p is no inventory", (value) => {
    expect(toInventoryFacts(value)).toBeUndefined();
  });

  test("what has another form is left out, and the inventory says that it is cut", () => {
    const tools = [{ name: "good" }, { name: 5 }, null, { name: "" }, { name: "n".repeat(MAX_NAME_CHARS + 1) }];
    expect(toInventoryFacts({ ...NONE, tools })).toMatchObject({ tools: [{ name: "good" }], at: 0, isCut: true });
    expect(toInventoryFacts({ ...NONE, prompts: "many" })).toMatchObject({ prompts: [], isCut: true });
  });

  test("a list beyond the limit is cut", () => {
    const tools = Array.from({ length: MAX_ITEMS + 1 }, (_, i) => ({ name: `t${i}` }));
    const facts = toInventoryFacts({ ...NONE, tools });
    expect(facts?.tools).toHaveLength(MAX_ITEMS);
    expect(facts?.isCut).toBe(true);
  });
});

describe("tools", () => {
  test("a name keeps every character, because calls must repeat it", () => {
    expect(toTool({ name: "a\u202eb\n" })?.name).toBe("a\u202eb\n");
  });

  test("a description is cut, and its lone surrogates become text that can be written", () => {
    const description = `${"d".repeat(MAX_DESCRIPTION_CHARS - 1)}\ud83d\ude00`;
    expect(toTool({ name: "t", description })?.description).toBe(`${"d".repeat(MAX_DESCRIPTION_CHARS - 1)}\ufffd`);
  });

  test("a schema that is too large or too deep is left out", () => {
    expect(toTool({ name: "t", inputSchema: { a: "x".repeat(MAX_SCHEMA_CHARS) } })).toEqual({ name: "t" });
    let deep: object = {};
    for (let i = 0; i < 150_000; i += 1) deep = { deep };
    expect(toTool({ name: "t", inputSchema: deep })).toEqual({ name: "t" });
    let allowed: object = {};
    for (let i = 1; i < MAX_SCHEMA_DEPTH; i += 1) allowed = { allowed };
    expect(toTool({ name: "t", inputSchema: allowed })?.inputSchema).toBe(allowed as Record<string, unknown>);
  });

  test("only hints that are true or false count", () => {
    const annotations = { readOnlyHint: "true", destructiveHint: false, other: true };
    expect(toTool({ name: "t", annotations })?.annotations).toEqual({ destructiveHint: false });
  });

  test("a title among the annotations counts where the tool has none", () => {
    expect(toTool({ name: "t", annotations: { title: "old" } })).toEqual({ name: "t", title: "old" });
    expect(toTool({ name: "t", title: "new", annotations: { title: "old" } })).toEqual({ name: "t", title: "new" });
  });
});

test("a prompt has at most 100 arguments", () => {
  const many = Array.from({ length: 200 }, (_, i) => ({ name: `a${i}` }));
  expect(toPrompt({ name: "p", arguments: many })?.arguments).toHaveLength(100);
});
