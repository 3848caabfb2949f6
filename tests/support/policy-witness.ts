import type { Hold } from "../../src/pool/charge.ts";
import type { FlowFacts } from "../../src/pool/flow-facts.ts";
import type { Candidate, Eviction, OpenSeat, QueuePolicy } from "../../src/pool/queue-policy.ts";
import type { Work } from "../../src/pool/seat.ts";
import type { Ticket } from "../../src/pool/ticket.ts";

/** Forwards every call to a policy, and records calls that the pool makes out of order. */
export class PolicyWitness implements QueuePolicy {
  readonly wrongs: string[] = [];
  readonly #policy: QueuePolicy;
  readonly #states = new Map<Ticket, "waits" | "runs">();

  constructor(policy: QueuePolicy) {
    this.#policy = policy;
  }

  /** The number of tickets that wait or run. */
  get open(): number {
    return this.#states.size;
  }

  /** The tickets that wait now. */
  get waiting(): Ticket[] {
    return [...this.#states].filter(([, state]) => state === "waits").map(([ticket]) => ticket);
  }

  mayBegin(candidate: Candidate, now: number): boolean {
    return this.#policy.mayBegin(candidate, now);
  }

  evict(newcomer: Ticket, now: number): Eviction | undefined {
    this.#expect("evict", newcomer, undefined);
    if (newcomer.wasAccepted) this.wrongs.push("evict for a ticket that was accepted");
    return this.#policy.evict(newcomer, now);
  }

  join(ticket: Ticket, now: number): void {
    this.#expect("join", ticket, undefined);
    this.#states.set(ticket, "waits");
    this.#policy.join(ticket, now);
  }

  leave(ticket: Ticket): void {
    this.#expect("leave", ticket, "waits");
    this.#states.delete(ticket);
    this.#policy.leave(ticket);
  }

  next(seat: OpenSeat, now: number): Ticket | undefined {
    return this.#policy.next(seat, now);
  }

  begin(ticket: Ticket, seat: Pick<OpenSeat, "lines" | "isContended">, now: number): void {
    this.#expect("begin", ticket, undefined);
    this.#states.set(ticket, "runs");
    this.#policy.begin(ticket, seat, now);
  }

  end(ticket: Ticket, work: Work | undefined, now: number): void {
    this.#expect("end", ticket, "runs");
    this.#states.delete(ticket);
    this.#policy.end(ticket, work, now);
  }

  position(ticket: Ticket, now: number): number {
    return this.#policy.position(ticket, now);
  }

  holdOf(ticket: Ticket): Hold | undefined {
    return this.#policy.holdOf?.(ticket);
  }

  flows(now: number): readonly FlowFacts[] {
    return this.#policy.flows(now);
  }

  #expect(call: string, ticket: Ticket, state: "waits" | "runs" | undefined): void {
    const is = this.#states.get(ticket);
    if (is !== state) this.wrongs.push(`${call} for a ticket that ${is ?? "is not here"}`);
  }
}
