import type { FlowFacts } from "../../flow-facts.ts";
import type { Ticket } from "../../ticket.ts";
import type { WaitingKey } from "./waiting-key.ts";

/**
 * Adds pending tickets to the flows of admitted ones, and counts how many tickets of each flow a limit holds back. `now` is
 * `Clock.elapsed`.
 */
export function withHeld(flows: readonly FlowFacts[], keys: readonly WaitingKey[], now: number): readonly FlowFacts[] {
  const held = new Map(keys.filter(({ isHeld }) => isHeld).map((key) => [key.caller.name, key]));
  const all = new Map<string, FlowFacts>();
  for (const flow of flows) {
    const key = held.get(flow.caller);
    const holds = key && flow.waiting > 0 ? { held: flow.waiting, limit: key.charge.slotHold()?.limit } : {};
    all.set(nameOf(flow.caller, flow), { ...flow, ...holds });
  }
  for (const { pending } of keys) {
    const limit = pending[0]?.charge?.admissionHold()?.limit;
    for (const ticket of pending) {
      const name = nameOf(ticket.caller.name, ticket);
      const known = all.get(name) ?? emptyFlow(ticket);
      all.set(name, {
        ...known,
        waiting: known.waiting + 1,
        held: (known.held ?? 0) + 1,
        limit: known.limit ?? limit,
        oldestWaitMs: Math.max(known.oldestWaitMs, now - ticket.arrivedAt),
      });
    }
  }
  return [...all.values()];
}

function emptyFlow({ caller, endUser, class: callerClass }: Ticket): FlowFacts {
  const { name, tenant, weight } = caller;
  return {
    caller: name,
    tenant,
    endUser,
    class: callerClass,
    weight,
    waiting: 0,
    running: 0,
    oldestWaitMs: 0,
    share: 0,
  };
}

function nameOf(caller: string, flow: Pick<FlowFacts, "class" | "endUser">): string {
  return `${caller} ${flow.class} ${flow.endUser ?? ""}`;
}
