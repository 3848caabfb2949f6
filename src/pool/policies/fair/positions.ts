import type { Ticket } from "../../ticket.ts";
import type { Counter } from "./counter.ts";
import type { FairOrder } from "./fair-order.ts";
import type { Flow } from "./flow.ts";
import type { Row } from "./row.ts";

/** A ticket, what it is expected to cost, and the weight of its caller. */
interface Turn {
  readonly ticket: Ticket;
  readonly cost: number;
  readonly weight: number;
}

/** The levels at which slots are divided, from the top. */
const LEVELS: readonly ((flow: Flow) => unknown)[] = [
  ({ member }) => member.tenant,
  ({ member }) => member,
  (flow) => flow,
];

/**
 * Returns the tickets of some rows in the order in which they will get slots if nothing else comes or ends: by class, and
 * within a class as the counters and the estimated costs decide. Aging and limits are left out.
 */
export function inTurn(rows: readonly Row[], order: FairOrder | undefined, costOf: (row: Row) => number): Ticket[] {
  const turnsOf = (rows: readonly Row[], level: number): Turn[] => {
    const keyOf = LEVELS[level];
    if (!keyOf) return ownTurns(rows, costOf);
    const parts = [...Map.groupBy(rows, ({ flow }) => keyOf(flow)).values()];
    return parts.length === 1
      ? turnsOf(rows, level + 1)
      : merge(
          parts.map((part) => ({ start: startOf(part, order, level), turns: turnsOf(part, level + 1) })),
          level,
        );
  };
  const classes = [...Map.groupBy(rows, ({ flow }) => flow.urgency)].sort(([a], [b]) => a - b);
  return classes.flatMap(([, rows]) => turnsOf(rows, 0).map(({ ticket }) => ticket));
}

function ownTurns(rows: readonly Row[], costOf: (row: Row) => number): Turn[] {
  const turns = rows.flatMap((row) => {
    const cost = costOf(row);
    const { weight } = row.flow.member;
    return row.tickets.map((ticket) => ({ ticket, cost, weight }));
  });
  return rows.length === 1 ? turns : turns.sort((a, b) => a.ticket.number - b.ticket.number);
}

interface Start {
  readonly service: number;
  readonly order: number;
}

/** Finds where the flows of some rows stand at a level. Before any worker has asked for tickets, none has had service. */
function startOf([row]: readonly Row[], order: FairOrder | undefined, level: number): Start {
  let counter: Counter | undefined = order && row && order.counterOf(row);
  for (let at = LEVELS.length - 1; at > level; at -= 1) counter = counter?.parent;
  return counter ?? { service: 0, order: row?.head?.number ?? 0 };
}

/**
 * Merges the turns of several flows: each begins when the service before it is less than that of the others. Weights count
 * below tenants.
 */
function merge(parts: readonly { readonly start: Start; readonly turns: readonly Turn[] }[], level: number): Turn[] {
  const all = parts.flatMap(({ start, turns }) => {
    let { service } = start;
    return turns.map((turn) => {
      const at = { turn, service, order: start.order };
      service += level === 0 ? turn.cost : turn.cost / turn.weight;
      return at;
    });
  });
  return all.sort((a, b) => a.service - b.service || a.order - b.order).map(({ turn }) => turn);
}
