import type { Listed } from "./found-tools.ts";

// The tools that clients get instead of a long list.

export const FIND_TOOLS = "find_tools";
export const CALL_TOOL = "call_tool";

/** The most tools that one search returns, and how many it returns unless the caller says. */
export const MOST_FOUND = 25;
export const USUALLY_FOUND = 8;

/** Describes the tools; `names` are those of all others. */
export function searchTools(names: readonly string[]): readonly Listed[] {
  return [
    {
      name: FIND_TOOLS,
      title: "Find tools",
      description: `Finds tools by what they do, and returns their names, descriptions and input schemas. ${overview(names)} Search before you call one of them with ${CALL_TOOL}.`,
      inputSchema: {
        type: "object",
        properties: {
          query: { type: "string", description: "What the tool should do, in a few words, or its name." },
          limit: {
            type: "integer",
            minimum: 1,
            maximum: MOST_FOUND,
            description: `The most tools to return. Default ${USUALLY_FOUND}.`,
          },
        },
        required: ["query"],
      },
      annotations: { readOnlyHint: true, openWorldHint: false },
    },
    {
      name: CALL_TOOL,
      title: "Call a tool",
      description: `Calls a tool that ${FIND_TOOLS} has returned, with arguments that fit its input schema, and returns its result.`,
      inputSchema: {
        type: "object",
        properties: {
          name: { type: "string", description: `The tool's name, as ${FIND_TOOLS} has returned it.` },
          arguments: { type: "object", description: "The tool's arguments." },
        },
        required: ["name"],
      },
    },
  ];
}

/** Says how many tools there are of which server. */
export function overview(names: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const name of names) {
    const prefix = name.split("__", 1)[0] ?? "";
    counts.set(prefix, (counts.get(prefix) ?? 0) + 1);
  }
  const parts = [...counts].map(([prefix, count]) => `${prefix} (${count})`);
  return `There are ${names.length} tools, of these servers: ${parts.join(", ")}.`;
}
