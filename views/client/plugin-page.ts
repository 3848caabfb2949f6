import type { AlpineApi } from "./alpine.js";
import { type CalledFunction, createCatalog } from "./catalog.ts";
import { createMcpCalls } from "./mcp-calls.ts";
import { createPastJobs } from "./past-jobs.ts";
import { listOf } from "./playground.ts";
import type { PoolStore } from "./pool-store.ts";
import { createRelayPage } from "./relay-page.ts";
import type { RouteStore } from "./route.ts";
import { createRowMenu } from "./row-menu.ts";

/** Registers the components that only the sections of plugins have. */
export function register(alpine: AlpineApi, pool: () => PoolStore): void {
  const route = (): RouteStore => alpine.store("route");
  const functions = (): readonly CalledFunction[] => listOf(pool(), "mcp", "functions");
  alpine.data("pastJobs", createPastJobs(alpine));
  alpine.data("mcpCalls", createMcpCalls(alpine));
  alpine.data("rowMenu", createRowMenu);
  const tools = { functions, origin: location.origin };
  alpine.data("catalog", (url: string) => createCatalog(url, tools));
  alpine.data("relayPage", createRelayPage(route, tools));
}
