import type { FlowFacts } from "../../flow-facts.ts";
import type { Ticket } from "../../ticket.ts";
import type { WaitingKey } from "./waiting-key.ts";

/**
 * Chooses the pending ticket that is refused when the queue is full: the newest one of the caller with most waiting tickets
 * of the tenant with most. Undefined if that caller has none, so that another ticket is to be chosen. The newcomer counts as
 * if it waited. Among the callers of a tenant, tickets count for less the higher the weight. `flows` are those of admitted
 * tickets.
 */
export function choosePending(
  newcomer: Ticket,
  keys: Iterable<WaitingKey>,
  flows: readonly FlowFacts[],
): Ticket | undefined {
  const loads = new Map<string, { readonly tenant: string; load: number }>();
  const tenants = new Map<string, number>();
  const add = (name: string, tenant: string, weight: number, count: number): void => {
    const known = loads.get(name) ?? { tenant, load: 0 };
    loads.set(name, known);
    known.load += count / weight;
    tenants.set(tenant, (tenants.get(tenant) ?? 0) + count);
  };
  const { caller } = newcomer;
  add(caller.name, caller.tenant, caller.weight, 1);
  for (const flow of flows) add(flow.caller, flow.tenant, flow.weight, flow.waiting);
  const byCaller = new Map<string, WaitingKey>();
  for (const key of keys) {
    add(key.caller.name, key.caller.tenant, key.caller.weight, key.pending.length);
    byCaller.set(key.caller.name, key);
  }
  let tenant = caller.tenant;
  for (const [name, load] of tenants) if (load > (tenants.get(tenant) ?? 0)) tenant = name;
  let heaviest: string | undefined;
  let most = 0;
  for (const [name, each] of loads) {
    if (each.tenant !== tenant || each.load <= most) continue;
    [heaviest, most] = [name, each.load];
  }
  // The newcomer is younger than all others of its own caller.
  if (heaviest === undefined || heaviest === caller.name) return undefined;
  return byCaller.get(heaviest)?.pending.at(-1);
}
