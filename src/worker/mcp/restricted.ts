import type { Backend } from "../../answering/opening.ts";
import type { Deps } from "../../system/deps.ts";
import { guarded } from "./guard.ts";
import { createInventory, type Inventory } from "./inventory.ts";
import { letInOnly } from "./let-in.ts";
import type { Access, McpServer } from "./mcp-server.ts";
import { ruled } from "./ruled/ruled-backend.ts";
import { compileRules, intersect } from "./rules.ts";
import { withInventory } from "./serve-inventory.ts";

export interface RestrictedOptions {
  /** What the MCP server offers; undefined where the relay cannot read it, because callers sign in to the server. */
  readonly inventory?: Inventory | undefined;
  readonly deps: Pick<Deps, "clock" | "ids">;
}

/** An MCP server as its callers have it: only for those who may call, and only what each of them may use. */
export function restricted(
  { access, rules = [], auditArguments = false }: McpServer,
  upstream: Backend,
  { inventory, deps: { clock, ids } }: RestrictedOptions,
): Backend {
  // Callers of a server with sign-in of its own have accounts there, and the relay has none.
  const lists = access.kind === "oauth" ? undefined : (inventory ?? createInventory(upstream, clock));
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
  return withInventory(admitted(backend, access), lists, forAll);
}

function admitted(backend: Backend, access: Access): Backend {
  if (access.kind === "token") return guarded(backend, access.token);
  return access.kind === "connector" ? letInOnly(backend) : backend;
}
