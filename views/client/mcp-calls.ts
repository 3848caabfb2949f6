import type { AlpineApi } from "./alpine.js";
import { createAskedList } from "./asked-list.ts";
import { toCallRow } from "./asked-rows.ts";

/** The most calls that the page asks for. The download has all of them. */
const MAX_CALLS = 300;

/** The calls of MCP servers: `x-data="mcpCalls"`. The server looks for the words of the filter in all calls that it keeps. */
export function createMcpCalls(alpine: AlpineApi) {
  return () => {
    const list = createAskedList(alpine, {
      path: (outcome, filter) => `/api/mcp/calls?${queryOf(outcome, filter, { limit: String(MAX_CALLS) })}`,
      toRow: toCallRow,
    });
    return {
      ...list,
      exportUrl(): string {
        return `/api/mcp/calls?${queryOf(this.choice, this.filter, { format: "jsonl" })}`;
      },
      countText(): string {
        const count = this.total();
        return count < MAX_CALLS ? `${count.toLocaleString("en")} calls` : `the newest ${MAX_CALLS} calls`;
      },
    };
  };
}

function queryOf(outcome: string, filter: string, more: Readonly<Record<string, string>>): URLSearchParams {
  const query = new URLSearchParams(more);
  if (outcome !== "") query.set("outcome", outcome);
  if (filter.trim() !== "") query.set("search", filter.trim());
  return query;
}
