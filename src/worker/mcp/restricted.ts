import type { Backend } from "../../answering/opening.ts";
import type { Deps } from "../../system/deps.ts";
import { guarded } from "./guard.ts";
import { createInventory } from "./inventory.ts";
import type { McpServer } from "./mcp-server.ts";
import { ruled } from "./ruled/ruled-backend.ts";
import { compileRules, intersect } from "./rules.ts";
import { withInventory } from "./serve-inventory.ts";

export interface RestrictedOptions {
  readonly deps: Pick<Deps, "clock" | "ids">;
}

/** An MCP server as its callers have it: only for those who may call, and only what each of them may use. */
export function restricted(
  { access, rules = [], auditArguments = false }: McpServer,
  upstream: Backend,
  { deps: { clock, ids } }: RestrictedOptions,
): Backend {
  // Callers of a server with sign-in of its own have accounts there, and the relay has none.
  const lists = access.kind === "oauth" ? undefined : createInventory(upstream, clock);
  const forAll = intersect(...rules.map(compileRules));
  const backend = ruled(upstream, {
    callers: access.kind === "callers" ? access.callers : undefined,
    rules: forAll,
    auditArguments,
    facts: lists,
    // A caller can test guesses of it, so it is none of the worker's keys.
    secret: ids.secret(),
    clock,
  });
  return withInventory(access.kind === "token" ? guarded(backend, access.token) : backend, lists, forAll);
}
