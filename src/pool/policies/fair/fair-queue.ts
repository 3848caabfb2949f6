import type { Caller } from "../../../auth/caller.ts";
import type { Clock } from "../../../system/deps.ts";
import type { FlowFacts } from "../../flow-facts.ts";
import { lineOf } from "../../lines.ts";
import type { Candidate, Eviction, HoldingPolicy, OpenSeat, QueueHost } from "../../queue-policy.ts";
import type { Work } from "../../seat.ts";
import type { Ticket } from "../../ticket.ts";
import { BACKGROUND, hasAged, hasShare, longestHeld, mostUrgent } from "./aging.ts";
import { Backlog } from "./backlog.ts";
import { Estimates } from "./estimates.ts";
import type { FairOrder } from "./fair-order.ts";
import type { Flow, Member } from "./flow.ts";
import { Flows } from "./flows.ts";
import { LOOKED_AT, Locality, type Preference } from "./locality.ts";
import { type Charge, PeerCharges, refund } from "./peer-charges.ts";
import { PositionCache } from "./position-cache.ts";
import { chooseRefused } from "./push-out.ts";
import { type Group, type Row, sampleOf } from "./row.ts";
import { ServiceLedger } from "./service-ledger.ts";
import { WakeUps } from "./wake-ups.ts";

export interface FairQueueOptions {
  /**
   * How many tickets may wait. Tickets that were accepted before count, but are never refused. Tickets of peers do not count.
   */
  readonly capacity: number;
  /** Used for timers only: the pool passes the time with each call. */
  readonly clock: Pick<Clock, "after" | "elapsed">;
  /** Returns the cost of a job that has ended, from 0: its weighted tokens, or the time that it held its slot. */
  readonly costOf: (work: Work) => number;
}

/** A job that runs. */
interface Running {
  readonly flow: Flow;
  readonly model: string;
  /** The charge to correct at its end; undefined for a job that began while nothing waited. */
  charge: Charge | undefined;
  /** The server of the job; undefined for this one. */
  readonly peer: string | undefined;
}

const NOTHING: readonly Ticket[] = Object.freeze([]);

/**
 * Divides the slots of a pool fairly among those who wait for them: the flow with the least service is next, where service
 * is the cost of its jobs divided by its caller's weight. The cost of a job is estimated when it begins and corrected when
 * it ends. A job that begins while nothing waits takes nothing from others and is not charged.
 */
export class FairQueue implements HoldingPolicy {
  readonly #options: FairQueueOptions;
  readonly #host: QueueHost;
  readonly #backlog = new Backlog();
  readonly #flows = new Flows();
  readonly #estimates = new Estimates();
  readonly #running = new Map<Ticket, Running>();
  readonly #locality = new Locality();
  readonly #wakeUps: WakeUps;
  readonly #positions = new PositionCache(this.#backlog, (row) => this.#costOf(row));
  readonly #peerCharges: PeerCharges;
  readonly shared = new ServiceLedger(this.#backlog, (peer, now) => this.#refundAll(peer, now));
  /** The ticket that has left the queue last, and its row: it begins next if it has got a slot. */
  #left: { readonly ticket: Ticket; readonly row: Row } | undefined;
  /** The ticket that `next` named last, which may go before its turn. */
  #preference: Preference | undefined;
  /** The time of the latest call that passed one. */
  #now = 0;

  constructor(options: FairQueueOptions, host: QueueHost) {
    this.#options = options;
    this.#host = host;
    this.#peerCharges = new PeerCharges(options.clock);
    this.#wakeUps = new WakeUps(options.clock, (ticket) => host.wake(ticket));
  }

  /** The number of flows and counters that it remembers. Most of them have jobs. */
  get remembered(): number {
    return this.#flows.size + this.#backlog.counters;
  }

  mayBegin(candidate: Candidate, now: number): boolean {
    const { caller, demand, class: callerClass = caller.class } = candidate;
    if (callerClass !== "background") return true;
    const waitsSince =
      this.#backlog.rowOf(candidate)?.waitsSince ?? candidate.charge?.admittedAt ?? candidate.arrivedAt ?? now;
    return hasAged(waitsSince, now) || hasShare(this.#host, demand);
  }

  evict(newcomer: Ticket): Eviction | undefined {
    if (this.#backlog.ownSize < this.#options.capacity) return undefined;
    const flow = this.#flows.find(newcomer);
    return { ticket: chooseRefused(newcomer, flow, lineOf(newcomer.demand), this.#backlog) };
  }

  join(ticket: Ticket, now: number): void {
    this.#changed(now);
    const row = this.#backlog.join(ticket, this.#flows.enter(ticket));
    this.#wakeUps.changed(row, now);
  }

  leave(ticket: Ticket): void {
    const row = this.#backlog.leave(ticket, this.#now);
    if (!row) return;
    this.#changed(this.#now);
    this.#left = { ticket, row };
    this.#locality.left(ticket);
    this.#wakeUps.changed(row, this.#options.clock.elapsed());
    this.#flows.left(row.flow, this.#now);
    if (this.#backlog.size === 0) this.#settle();
  }

  next(seat: OpenSeat, now: number): Ticket | undefined {
    if (this.#backlog.size === 0) return undefined;
    const order = this.#backlog.orderFor(seat.lines);
    const lines = this.#backlog.linesOf(seat.lines);
    const fairest: (Row | undefined)[] = [];
    for (const [group, tops] of order.groups) {
      const sample = lines.has(group.line) ? sampleOf(group) : undefined;
      if (!sample || !seat.serves(sample)) continue;
      for (const [urgency, top] of tops.entries()) {
        const first = top.first;
        const row = first && this.#unlessHeld(first, group, now);
        const before = fairest[urgency];
        if (row && (!before || order.isBefore(row, before))) fairest[urgency] = row;
      }
    }
    const row = mostUrgent(fairest, now);
    this.#preference = row && this.#preferNear(row, order, seat, fairest.filter(Boolean).length === 1, now);
    return this.#preference?.ticket;
  }

  begin(ticket: Ticket, seat: Pick<OpenSeat, "lines" | "isContended">, now: number): void {
    this.#changed(now);
    const flow = this.#flows.enter(ticket);
    const row = this.#left?.ticket === ticket ? this.#left.row : undefined;
    this.#left = undefined;
    const preference = this.#preference?.ticket === ticket ? this.#preference : undefined;
    this.#preference = undefined;
    if (preference) this.#locality.preferred(preference);
    // A flow that is served before its turn does not show how much service the waiting flows have had.
    const group = preference && preference.passed.length > 0 ? undefined : row?.group;
    if (ticket.peer === undefined) {
      flow.running += 1;
      flow.member.running += 1;
    }
    const order = this.#orderAt(seat);
    const charge = order && this.#charge(order, ticket, flow, group, now);
    this.#running.set(ticket, { flow, model: ticket.demand.model, charge, peer: ticket.peer });
    if (!row) return;
    row.served(now);
    if (row.head) this.#wakeUps.changed(row, now);
  }

  end(ticket: Ticket, work: Work | undefined, now: number): void {
    const running = this.#running.get(ticket);
    if (!running) return;
    this.#changed(now);
    this.#running.delete(ticket);
    const { flow, charge, peer } = running;
    const { member } = flow;
    const cost = work ? this.#count(running, work, now) : 0;
    if (peer === undefined) {
      flow.running -= 1;
      member.running -= 1;
      charge?.order.correct(charge.leaf, charge.weight, charge.amount, cost, now);
      if (charge) this.shared.add(flow, running.model, cost - charge.amount);
    } else if (charge && ticket.isStandIn) refund(charge, now);
    else if (charge) this.#peerCharges.keep(peer, charge);
    this.#flows.left(flow, now);
    if (this.#backlog.size === 0) this.#settle();
    if (!work) this.#wakeUps.refused();
  }

  position(ticket: Ticket, now: number): number {
    return this.#positions.of(ticket, now);
  }

  flows(now: number): readonly FlowFacts[] {
    return this.#flows.facts(now, (flow) => {
      let oldest = now;
      for (const { tickets } of this.#backlog.rowsOf(flow)) {
        const own = flow.ofPeers === 0 ? tickets[0] : tickets.find(({ peer }) => peer === undefined);
        oldest = Math.min(oldest, own?.arrivedAt ?? now);
      }
      return oldest;
    });
  }

  #changed(now: number): void {
    this.#now = now;
    this.#positions.revision += 1;
  }

  /** Returns the order that is charged for a slot; undefined if no ticket waits for slots of its worker. */
  #orderAt({ lines, isContended }: Pick<OpenSeat, "lines" | "isContended">): FairOrder | undefined {
    if (isContended) return this.#backlog.orderFor(lines);
    return this.#backlog.size > 0 ? this.#backlog.findOrder(lines) : undefined;
  }

  #charge(order: FairOrder, { caller, demand, peer }: Ticket, flow: Flow, group: Group | undefined, now: number) {
    const amount = this.#estimates.of(caller.name, demand.model);
    if (peer === undefined) this.shared.add(flow, demand.model, amount);
    return { order, amount, weight: flow.member.weight, leaf: order.charge(flow, amount, group, now) };
  }

  /**
   * Returns the ticket to serve instead of the first one of a row: one near it in the order for which the worker is warm.
   * A row keeps its turn if it is first because it has waited long, and so does a background row.
   */
  #preferNear(row: Row, order: FairOrder, seat: OpenSeat, isOnlyClass: boolean, now: number): Preference | undefined {
    const { group, flow, head } = row;
    if (!head) return undefined;
    const top = order.groups.get(group)?.[flow.urgency];
    const keepsTurn = flow.urgency === BACKGROUND || !(isOnlyClass || !hasAged(row.waitsSince, now));
    if (!seat.warmth || !head.demand.affinity || keepsTurn || top?.first !== row)
      return { ticket: head, row, passed: [] };
    const isOnly = group.rows.size === 1 && order.groups.size === 1;
    const cost = this.#costOf(row);
    const rows = isOnly ? [row] : top.nearest(LOOKED_AT, cost, cost / flow.member.weight);
    return this.#locality.choose(rows, isOnly, seat.warmth);
  }

  /** Takes back what jobs of a peer were charged here, because the peer has now sent what it has charged for them. */
  #refundAll(peer: string, now: number): void {
    this.#changed(now);
    this.#peerCharges.refund(peer);
    for (const running of this.#running.values()) {
      if (running.peer !== peer || !running.charge) continue;
      refund(running.charge, now);
      running.charge = undefined;
    }
  }

  /** Counts the cost of a job that a worker has served. */
  #count({ flow, model, peer }: Running, work: Work, now: number): number {
    const cost = this.#options.costOf(work);
    if (peer === undefined) this.#flows.serve(flow, cost, now);
    // A job that was cut short is charged for what it used, but its cost says nothing about the next job.
    if (work.outcome === "completed") this.#estimates.learn(flow.member.name, model, cost);
    return cost;
  }

  /** Returns the tickets to serve in a group instead of background ones that are held back; undefined if there are none. */
  #unlessHeld(row: Row, group: Group, now: number): Row | undefined {
    if (row.flow.urgency !== BACKGROUND || hasAged(row.waitsSince, now)) return row;
    return row.head && hasShare(this.#host, row.head.demand) ? row : longestHeld(group, now);
  }

  /** Returns what the next job of a row is expected to cost. */
  #costOf({ flow, group }: Row): number {
    return this.#estimates.of(flow.member.name, group.model);
  }

  hold({ name }: Pick<Caller, "name">, isHeld: boolean, isWait: boolean): readonly Ticket[] {
    const member = this.#flows.member(name);
    if (!member || member.isAtLimit === isHeld) return NOTHING;
    if (!isHeld && !isWait) member.freeSince = this.#options.clock.elapsed();
    member.isAtLimit = isHeld;
    this.#backlog.hold(member);
    return isHeld ? NOTHING : this.#headsOf(member);
  }

  #headsOf({ flows }: Member): readonly Ticket[] {
    const heads: Ticket[] = [];
    for (const flow of flows.values()) for (const { head } of this.#backlog.rowsOf(flow)) if (head) heads.push(head);
    return heads.sort((a, b) => a.number - b.number);
  }

  /** Forgets what is of no use while nothing waits. */
  #settle(): void {
    this.#backlog.dropIdle();
    this.#positions.clear();
  }
}
