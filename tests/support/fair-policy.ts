import type { Caller } from "../../src/auth/caller.ts";
import { Fault } from "../../src/errors.ts";
import type { Candidate, Eviction, OpenSeat, QueueHost, QueuePolicy } from "../../src/pool/queue-policy.ts";
import type { Work } from "../../src/pool/seat.ts";
import type { Ticket } from "../../src/pool/ticket.ts";

export interface FairRules {
  readonly capacity: number;
  /** The most jobs of one caller that may run at once. */
  readonly maxRunning?: number;
  /** The most jobs of one caller that may wait at once. */
  readonly maxWaiting?: number;
  /** The part of a model's slots that background jobs leave free. */
  readonly reserve?: number;
  /** After this many milliseconds of waiting a job counts as one of the next more urgent class. */
  readonly agingMs?: number;
}

/** The jobs of one caller. */
interface Flow {
  /** The service that the caller has received, divided by its weight. */
  service: number;
  waiting: Ticket[];
  running: number;
}

/** The assumed cost of a job until it has ended. */
const ESTIMATE = 10;
const CLASSES: Readonly<Record<Caller["class"], number>> = { interactive: 0, normal: 1, background: 2 };

/**
 * A policy that serves the caller with the least service first, with weights, classes, limits and push-out. It exercises all
 * that the port of queue policies must support, in the simplest form: it looks at every ticket each time.
 */
export class FairPolicy implements QueuePolicy {
  readonly #rules: Required<FairRules>;
  readonly #host: QueueHost;
  readonly #flows = new Map<string, Flow>();
  #level = 0;

  constructor(rules: FairRules, host: QueueHost) {
    this.#rules = { maxRunning: 1e9, maxWaiting: 1e9, reserve: 0, agingMs: 1e9, ...rules };
    this.#host = host;
  }

  mayBegin(candidate: Candidate): boolean {
    const running = this.#flows.get(candidate.caller.name)?.running ?? 0;
    return running < this.#rules.maxRunning && this.#hasShare(candidate);
  }

  evict(newcomer: Ticket): Eviction | undefined {
    const { capacity, maxWaiting } = this.#rules;
    const own = this.#flows.get(newcomer.caller.name)?.waiting.length ?? 0;
    if (own >= maxWaiting) return { ticket: newcomer, fault: new Fault("too_many_requests", { retryAfterS: 1 }) };
    if (this.#waiting().length < capacity) return undefined;
    const flows = [...this.#flows.values()].filter(({ waiting }) => waiting.length > 0);
    const heaviest = flows.sort((a, b) => b.waiting.length - a.waiting.length)[0];
    const isGreedy =
      heaviest !== undefined && heaviest.waiting.length > Math.max(own + 1, capacity / (flows.length + 1));
    const last = isGreedy ? heaviest.waiting.findLast(({ wasAccepted }) => !wasAccepted) : undefined;
    return { ticket: last ?? newcomer };
  }

  join(ticket: Ticket): void {
    const flow = this.#enter(ticket.caller);
    flow.waiting.push(ticket);
    flow.waiting.sort((a, b) => a.number - b.number);
  }

  leave(ticket: Ticket): void {
    const flow = this.#flows.get(ticket.caller.name);
    const at = flow?.waiting.indexOf(ticket) ?? -1;
    if (at >= 0) flow?.waiting.splice(at, 1);
    this.#forget(ticket.caller.name);
  }

  next(seat: OpenSeat, now: number): Ticket | undefined {
    return this.#inOrder(now).find((ticket) => this.mayBegin(ticket) && seat.serves(ticket));
  }

  begin(ticket: Ticket): void {
    const flow = this.#enter(ticket.caller);
    flow.running += 1;
    flow.service += ESTIMATE / ticket.caller.weight;
  }

  end(ticket: Ticket, work: Work | undefined): void {
    const flow = this.#enter(ticket.caller);
    flow.running -= 1;
    flow.service += ((work?.output ?? 0) - ESTIMATE) / ticket.caller.weight;
    this.#forget(ticket.caller.name);
    // Limits and reserves that held tickets back may now have room on other seats than the one that became free.
    for (const waiting of this.#waiting()) this.#host.wake(waiting);
  }

  flows(): readonly [] {
    return [];
  }

  position(ticket: Ticket, now: number): number {
    return this.#inOrder(now).indexOf(ticket) + 1;
  }

  #hasShare({ caller, demand }: Candidate): boolean {
    if (caller.class !== "background" || this.#rules.reserve === 0) return true;
    const { busy, slots } = this.#host.loadOf(demand);
    return busy < (1 - this.#rules.reserve) * slots;
  }

  #waiting(): Ticket[] {
    return [...this.#flows.values()].flatMap(({ waiting }) => waiting);
  }

  #inOrder(now: number): Ticket[] {
    const urgency = (ticket: Ticket): number =>
      CLASSES[ticket.caller.class] - Math.floor((now - ticket.arrivedAt) / this.#rules.agingMs);
    const service = (ticket: Ticket): number => this.#flows.get(ticket.caller.name)?.service ?? 0;
    return this.#waiting().sort((a, b) => urgency(a) - urgency(b) || service(a) - service(b) || a.number - b.number);
  }

  /** Returns the caller's flow. A caller that was idle starts level with the others, so that it gains nothing by waiting. */
  #enter({ name }: Caller): Flow {
    this.#level = Math.max(this.#level, Math.min(...[...this.#flows.values()].map(({ service }) => service)));
    if (!Number.isFinite(this.#level)) this.#level = 0;
    const flow = this.#flows.get(name) ?? { service: this.#level, waiting: [], running: 0 };
    this.#flows.set(name, flow);
    return flow;
  }

  #forget(name: string): void {
    const flow = this.#flows.get(name);
    if (flow && flow.running === 0 && flow.waiting.length === 0 && flow.service <= this.#level)
      this.#flows.delete(name);
  }
}
