import type { AlpineApi } from "./alpine.js";
import { createCatalog } from "./catalog.ts";
import { createMcpCalls } from "./mcp-calls.ts";
import { createPastJobs } from "./past-jobs.ts";

/** Registers the components that only the sections of plugins have. */
export function register(alpine: AlpineApi): void {
  alpine.data("pastJobs", createPastJobs(alpine));
  alpine.data("mcpCalls", createMcpCalls(alpine));
  alpine.data("catalog", createCatalog);
}
