import type { Caller } from "../../../auth/caller.ts";
import { SlidingSum, WINDOW_MS } from "../../../figures/sliding-sum.ts";
import type { FlowFacts } from "../../flow-facts.ts";
import type { Ticket } from "../../ticket.ts";
import { Flow, Member } from "./flow.ts";

/** The most flows without jobs that are remembered. Beyond that, the one idle for longest is forgotten. */
const MAX_IDLE = 10_000;

/**
 * The flows of a pool. One without jobs is remembered for as long as its service is part of the last minute's; waiting and
 * running jobs bound the number of the others.
 */
export class Flows {
  readonly #members = new Map<string, Member>();
  /** The flows without jobs, the one that has been idle for longest first. */
  readonly #idle = new Set<Flow>();
  readonly #served = new SlidingSum();

  /** The number of flows that are remembered. */
  get size(): number {
    let size = 0;
    for (const { flows } of this.#members.values()) size += flows.size;
    return size;
  }

  /** Returns the flow of a newcomer, without remembering one that is new. */
  find(ticket: Ticket): Flow {
    const member = this.#members.get(ticket.caller.name) ?? new Member(ticket.caller);
    return member.find(ticket) ?? new Flow(member, ticket.endUser, ticket.class);
  }

  member(name: string): Member | undefined {
    return this.#members.get(name);
  }

  /** Returns the flow of a ticket that joins or begins. */
  enter(ticket: Ticket): Flow {
    const { caller } = ticket;
    const flow = this.#memberOf(caller).flowOf(ticket);
    if (flow.isIdle) this.#idle.delete(flow);
    return flow;
  }

  /** Notes that a flow may have no jobs any more. */
  left(flow: Flow, now: number): void {
    if (!flow.isIdle) return;
    flow.idleSince = now;
    this.#idle.add(flow);
    for (const oldest of this.#idle) {
      if (this.#idle.size <= MAX_IDLE && now - oldest.idleSince < WINDOW_MS) return;
      this.#forget(oldest);
    }
  }

  serve(flow: Flow, cost: number, now: number): void {
    flow.served.add(cost, now);
    this.#served.add(cost, now);
  }

  /** `oldestOf` returns since when a flow has waited; `now` if it does not. */
  facts(now: number, oldestOf: (flow: Flow) => number): readonly FlowFacts[] {
    const total = this.#served.sum(now);
    const facts: FlowFacts[] = [];
    for (const { flows } of this.#members.values())
      for (const flow of flows.values())
        if (flow.waiting > flow.ofPeers || flow.running > 0 || flow.served.sum(now) > 0)
          facts.push(flow.facts(now, now - oldestOf(flow), total));
    return facts;
  }

  #memberOf(caller: Caller): Member {
    const known = this.#members.get(caller.name);
    if (known) {
      known.weight = caller.weight;
      return known;
    }
    const member = new Member(caller);
    this.#members.set(caller.name, member);
    return member;
  }

  #forget(flow: Flow): void {
    const { member } = flow;
    this.#idle.delete(flow);
    member.forget(flow);
    if (member.flows.size === 0) this.#members.delete(member.name);
  }
}
