import type { Answer, Backend, Opening } from "../../answering/opening.ts";
import type { RequestHead } from "../../wire/heads.ts";
import { INVENTORY_PATH, type InventoryFacts } from "../../wire/mcp-inventory.ts";
import type { Inventory } from "./inventory.ts";
import { InventoryFault } from "./inventory-client.ts";
import { compileRules, intersect, type RuleSet } from "./rules.ts";

/** Whether the request is the server's own for the inventory. No client's request has this path. */
export function asksForInventory({ method, path }: Pick<RequestHead, "method" | "path">): boolean {
  return method === "GET" && path === INVENTORY_PATH;
}

/**
 * A backend that also answers the server's requests for the inventory: with what the caller in the request's head may use of it,
 * or without a caller with what anybody may. `rules` are those of the relay itself. Undefined in place of an inventory: callers
 * sign in to the MCP server, so the relay cannot read it.
 */
export function withInventory(backend: Backend, inventory: Inventory | undefined, rules?: RuleSet): Backend {
  return {
    open(head) {
      if (!asksForInventory(head)) return backend.open(head);
      if (!inventory) return refusal(404, "Callers sign in to the MCP server, so its relay cannot read its lists.");
      const caller = head.caller?.rules;
      const all = intersect(rules, caller && compileRules(caller));
      return { kind: "ask", ask: () => answer(inventory, all), mayFallSilent: false };
    },
  };
}

async function answer(inventory: Inventory, rules: RuleSet | undefined): Promise<Answer> {
  try {
    const facts = await inventory.read();
    return json(200, rules ? allowedOf(facts, rules) : facts);
  } catch (error) {
    if (error instanceof InventoryFault) return json(502, { message: error.message });
    throw error;
  }
}

/** Returns what rules leave of an inventory. */
function allowedOf(facts: InventoryFacts, rules: RuleSet): InventoryFacts {
  return {
    ...facts,
    tools: facts.tools.filter((tool) => rules.tool(tool)),
    prompts: facts.prompts.filter(({ name }) => rules.prompt(name)),
    resources: facts.resources.filter(({ uri }) => rules.resource(uri)),
    resourceTemplates: facts.resourceTemplates.filter(({ uriTemplate }) => rules.template(uriTemplate)),
  };
}

function json(status: number, body: object): Answer {
  const bytes = new TextEncoder().encode(JSON.stringify(body));
  return { status, headers: [["content-type", "application/json"]], body: bytes };
}

function refusal(status: number, message: string): Opening {
  return { kind: "answer", status, body: { message } };
}
