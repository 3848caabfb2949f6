// The fields of a form for what a key may do at relays that leave it to the server who may call. All functions are pure.

/** The fields as they are typed. An empty one restricts nothing, and a list with the word `nothing` allows nothing. */
export interface McpForm {
  mcp_relays: string;
  mcp_tools: string;
  mcp_prompts: string;
  mcp_resources: string;
  mcp_parallel: string;
  mcp_requests_per_minute: string;
}

type Mcp = Readonly<Record<string, number | readonly string[]>>;

const LISTS = ["mcp_relays", "mcp_tools", "mcp_prompts", "mcp_resources"] as const;
/** The word for an empty list. */
const NOTHING = "nothing";
export const MCP = [...LISTS, "mcp_parallel", "mcp_requests_per_minute"] as const;

/** Returns the fields with what a key may do now; null for everything. */
export function mcpOf(mcp: Mcp | null): McpForm {
  const typed = MCP.map((field) => [field, textOf(mcp?.[nameOf(field)])] as const);
  return Object.fromEntries(typed) as unknown as McpForm; // MCP has all its fields
}

/** Whether a field of a form is one of these. */
export function isMcp(field: string): boolean {
  return MCP.some((each) => each === field);
}

/**
 * Returns the name of a field within `mcp`, and what is typed in it as the server takes it; null for an empty one. Throws an
 * `Error` with a message for people for the word `none`, which could mean either.
 */
export function toMcpField(field: string, typed: string): readonly [name: string, value: unknown] {
  const name = nameOf(field);
  if (typed === "") return [name, null];
  if (!LISTS.some((each) => each === field)) return [name, typed];
  if (typed === NOTHING) return [name, []];
  const words = typed.split(/[\s,]+/).filter((word) => word !== "");
  if (words.includes("none"))
    throw new Error(
      `MCP ${name}: write nothing instead of none to allow nothing, or leave the field empty to allow all.`,
    );
  if (words.includes(NOTHING)) throw new Error(`MCP ${name}: write either nothing or patterns.`);
  return [name, words];
}

/** Writes it for people: `tools: read_*; parallel: 4`. Null for a key that may do everything. */
export function mcpText(mcp: Mcp | null): string | null {
  if (mcp === null) return null;
  return Object.entries(mcp)
    .map(([name, value]) => `${name.replaceAll("_", " ")}: ${textOf(value)}`)
    .join("; ");
}

function nameOf(field: string): string {
  return field.replace("mcp_", "");
}

function textOf(value: number | readonly string[] | undefined): string {
  if (value === undefined || typeof value === "number") return String(value ?? "");
  return value.length === 0 ? NOTHING : value.join(", ");
}
