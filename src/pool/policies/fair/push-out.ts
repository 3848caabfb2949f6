import type { Ticket } from "../../ticket.ts";
import type { Flow, Member } from "./flow.ts";
import type { Group, Row } from "./row.ts";

/** The tickets that wait, as far as the choice of one to refuse needs them. */
export interface Waiting {
  readonly members: Iterable<Member>;
  readonly groups: Iterable<Group>;
  rowsOf(flow: Flow): Iterable<Row>;
}

/**
 * Chooses the ticket that is refused when the queue is full. It looks for the tenant with most waiting tickets, within it
 * for the caller, then the flow, then the line, and takes the newest ticket there; the newcomer counts as if it waited, and
 * goes first among equals. Among the callers of a tenant, tickets count for less the higher the weight. Tickets that were accepted before count
 * nowhere and are never chosen.
 */
export function chooseRefused(newcomer: Ticket, flow: Flow, line: string, waiting: Waiting): Ticket {
  const { member } = flow;
  const own = 1 / member.weight;
  const all = [...waiting.members];
  const tenants = new Map([[member.tenant, 1]]);
  for (const each of all) tenants.set(each.tenant, (tenants.get(each.tenant) ?? 0) + each.refusable);
  const tenant = heaviest(tenants.keys(), member.tenant, (name) => tenants.get(name) ?? 0);
  const callers = all.filter((each) => each.tenant === tenant);
  const caller = heaviest(callers, tenant === member.tenant ? member : undefined, (each) =>
    each === member ? loadOf(each) + own : loadOf(each),
  );
  const flows = [...(caller?.flows.values() ?? [])];
  const chosen = heaviest(flows, caller === member ? flow : undefined, (each) =>
    each === flow ? each.refusable + 1 : each.refusable,
  );
  if (!chosen) return newcomer;
  const lengths = lengthsOf(waiting.rowsOf(chosen));
  if (chosen === flow) lengths.set(line, (lengths.get(line) ?? 0) + 1);
  const longest = heaviest(lengths.keys(), chosen === flow ? line : undefined, (name) => lengths.get(name) ?? 0);
  if (chosen === flow && longest === line)
    return chooseElsewhere(newcomer, member, line, waiting.groups, tenants) ?? newcomer;
  return newestOf(waiting.rowsOf(chosen), longest) ?? newcomer;
}

/**
 * Chooses a ticket of a line that holds more than the newcomer's, among callers that have as many waiting tickets as the
 * newcomer's, and whose tenants do: one line with many callers must not keep those of another model out. `tenants` are the
 * numbers of tickets of all tenants.
 */
function chooseElsewhere(
  newcomer: Ticket,
  member: Member,
  line: string,
  groups: Iterable<Group>,
  tenants: ReadonlyMap<string, number>,
): Ticket | undefined {
  const rows = [...groups].flatMap((group) => [...group.rows]);
  const lengths = lengthsOf(rows);
  const longest = heaviest(lengths.keys(), line, (name) => lengths.get(name) ?? 0);
  if (longest === undefined || (lengths.get(longest) ?? 0) <= (lengths.get(line) ?? 0) + 1) return undefined;
  const own = loadOf(member) + 1 / newcomer.caller.weight;
  const isAsHeavy = (other: Member): boolean =>
    loadOf(other) >= own && (tenants.get(other.tenant) ?? 0) >= (tenants.get(member.tenant) ?? 0);
  const others = rows.filter(({ flow }) => flow.member !== member && isAsHeavy(flow.member));
  return newestOf(others, longest);
}

function loadOf({ refusable, weight }: Member): number {
  return refusable / weight;
}

/** Returns the heaviest of all; `first` if it is there and none is heavier. */
function heaviest<T>(all: Iterable<T>, first: T | undefined, weigh: (each: T) => number): T | undefined {
  let best = first;
  let weight = first === undefined ? 0 : weigh(first);
  for (const each of all) {
    const load = weigh(each);
    if (load > weight) [best, weight] = [each, load];
  }
  return best;
}

/** Counts the tickets that may be refused, by line. */
function lengthsOf(rows: Iterable<Row>): Map<string, number> {
  const lengths = new Map<string, number>();
  for (const { group, tickets } of rows) {
    const refusable = tickets.reduce((sum, { wasAccepted }) => sum + (wasAccepted ? 0 : 1), 0);
    lengths.set(group.line, (lengths.get(group.line) ?? 0) + refusable);
  }
  return lengths;
}

function newestOf(rows: Iterable<Row>, line: string | undefined): Ticket | undefined {
  let newest: Ticket | undefined;
  for (const row of rows) {
    const last = row.group.line === line ? row.tickets.findLast(({ wasAccepted }) => !wasAccepted) : undefined;
    if (last && last.number > (newest?.number ?? 0)) newest = last;
  }
  return newest;
}
