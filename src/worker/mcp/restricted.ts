import type { Backend } from "../../answering/opening.ts";
import type { Deps } from "../../system/deps.ts";
import { guarded } from "./guard.ts";
import type { Inventory } from "./inventory.ts";
import type { McpServer } from "./mcp-server.ts";
import { ruled } from "./ruled/ruled-backend.ts";
import { compileRules, intersect } from "./rules.ts";

export interface RestrictedOptions {
  /** What the MCP server offers; undefined where the relay cannot read it, because callers sign in to the server. */
  readonly inventory: Inventory | undefined;
  readonly deps: Pick<Deps, "clock" | "ids">;
}

/** An MCP server as its callers have it: only for those who may call, and only what each of them may use. */
export function restricted(
  { access, rules = [], auditArguments = false }: McpServer,
  upstream: Backend,
  { inventory, deps: { clock, ids } }: RestrictedOptions,
): Backend {
  const backend = ruled(upstream, {
    callers: access.kind === "callers" ? access.callers : undefined,
    rules: intersect(...rules.map(compileRules)),
    auditArguments,
    facts: inventory,
    // A caller can test guesses of it, so it is none of the worker's keys.
    secret: ids.secret(),
    clock,
  });
  return access.kind === "token" ? guarded(backend, access.token) : backend;
}
