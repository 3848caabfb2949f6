import { cleanLines, cleanText } from "../../../wire/clean-text.ts";
import type { InventoryFacts } from "../../../wire/mcp-inventory.ts";
import type { Told } from "./ask-inventory.ts";

/**
 * Returns an inventory as the API shows it. Every text in it is from an MCP server, so all of them lose the characters that
 * control a terminal or reorder text. Line breaks and tabs of descriptions stay.
 */
export function shownInventory(told: Told): object {
  if (told.kind === "untold") return { ...NOTHING, told: false, why: told.why };
  const { serverInfo, instructions, tools, prompts, resources, resourceTemplates, at, isCut }: InventoryFacts =
    told.facts;
  return {
    told: true,
    why: null,
    read_at: new Date(Math.min(Math.max(at, 0), MAX_TIME)).toISOString(),
    is_cut: isCut,
    server_info: serverInfo === undefined ? null : clean(serverInfo),
    instructions: instructions === undefined ? null : cleanLines(instructions),
    tools: clean(tools),
    prompts: clean(prompts),
    resources: clean(resources),
    resource_templates: clean(resourceTemplates),
  };
}

const NOTHING = {
  read_at: null,
  is_cut: false,
  server_info: null,
  instructions: null,
  tools: [],
  prompts: [],
  resources: [],
  resource_templates: [],
};

/** The last moment that a date can be. */
const MAX_TIME = 8_640_000_000_000_000;

/** Cleans all texts and names of members in JSON. Its depth is bounded: see `MAX_SCHEMA_DEPTH`. */
function clean(value: unknown): unknown {
  if (typeof value === "string") return cleanLines(value);
  if (Array.isArray(value)) return value.map(clean);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [cleanText(name), clean(member)]));
}
