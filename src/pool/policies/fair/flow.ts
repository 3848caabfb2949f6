import type { Caller, CallerClass } from "../../../auth/caller.ts";
import { SlidingSum } from "../../../figures/sliding-sum.ts";
import type { FlowFacts } from "../../flow-facts.ts";
import type { Ticket } from "../../ticket.ts";
import { URGENCY } from "../../urgency.ts";

/** A flow: the jobs of one caller, class and end user, among which the queue divides its slots. */
export class Flow {
  readonly member: Member;
  readonly endUser: string | undefined;
  readonly class: CallerClass;
  readonly urgency: number;
  /** The cost of its jobs that ended in the last minute. */
  readonly served = new SlidingSum();
  waiting = 0;
  /** Waiting tickets of peers, which are among `waiting`. */
  ofPeers = 0;
  /** Waiting tickets that were never accepted, so a full queue may refuse them. */
  refusable = 0;
  running = 0;
  /** `Clock.elapsed` when it last had a job. */
  idleSince = 0;

  constructor(member: Member, endUser: string | undefined, callerClass: CallerClass) {
    this.member = member;
    this.endUser = endUser;
    this.class = callerClass;
    this.urgency = URGENCY[callerClass];
  }

  get isIdle(): boolean {
    return this.waiting === 0 && this.running === 0;
  }

  /** `total` is the cost of all jobs that ended in the last minute. */
  facts(now: number, oldestWaitMs: number, total: number): FlowFacts {
    const { name, tenant, weight } = this.member;
    return {
      caller: name,
      tenant,
      endUser: this.endUser,
      class: this.class,
      weight,
      waiting: this.waiting - this.ofPeers,
      running: this.running,
      oldestWaitMs,
      share: total > 0 ? this.served.sum(now) / total : 0,
    };
  }
}

/** A caller that has jobs in the pool or had some in the last minute, with its flows. */
export class Member {
  readonly name: string;
  readonly tenant: string;
  weight: number;
  readonly flows = new Map<string, Flow>();
  /** The flows of jobs without an end user, by urgency. */
  readonly #plain: (Flow | undefined)[] = [];
  /** Waiting tickets of all its flows that were never accepted. */
  refusable = 0;
  waiting = 0;
  /** Waiting tickets of peers, which are among `waiting`. */
  ofPeers = 0;
  running = 0;
  /** Whether it runs as many jobs as it may, so that its tickets are held. */
  isAtLimit = false;
  /** `Clock.elapsed` since which no limit of its own holds its tickets: time at one makes no job more urgent. */
  freeSince = 0;

  constructor({ name, tenant, weight }: Caller) {
    this.name = name;
    this.tenant = tenant;
    this.weight = weight;
  }

  /** Returns the flow of a ticket if it is known. */
  find({ class: callerClass, endUser }: Ticket): Flow | undefined {
    return endUser === undefined ? this.#plain[URGENCY[callerClass]] : this.flows.get(keyOf(callerClass, endUser));
  }

  /** Returns the flow of a ticket, which it creates if need be. */
  flowOf(ticket: Ticket): Flow {
    const known = this.find(ticket);
    if (known) return known;
    const flow = new Flow(this, ticket.endUser, ticket.class);
    this.flows.set(keyOf(flow.class, flow.endUser), flow);
    if (flow.endUser === undefined) this.#plain[flow.urgency] = flow;
    return flow;
  }

  forget(flow: Flow): void {
    this.flows.delete(keyOf(flow.class, flow.endUser));
    if (flow.endUser === undefined) this.#plain[flow.urgency] = undefined;
  }
}

function keyOf(callerClass: CallerClass, endUser: string | undefined): string {
  return endUser === undefined ? callerClass : `${callerClass} ${endUser}`;
}
