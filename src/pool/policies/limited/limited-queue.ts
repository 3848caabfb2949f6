import type { Clock } from "../../../system/deps.ts";
import type { Charge, ChargeChanges, Hold } from "../../charge.ts";
import type { FlowFacts } from "../../flow-facts.ts";
import type {
  Candidate,
  Eviction,
  HoldingPolicy,
  OpenSeat,
  QueueHost,
  QueuePolicy,
  SharedService,
} from "../../queue-policy.ts";
import type { Work } from "../../seat.ts";
import type { Ticket } from "../../ticket.ts";
import { withHeld } from "./held-flows.ts";
import { choosePending } from "./push-out.ts";
import { WaitingKey } from "./waiting-key.ts";

export interface LimitedQueueOptions {
  /** How many tickets may wait, pending ones included. Those that were accepted before and those of peers are never refused. */
  readonly capacity: number;
  /** How long a ticket may wait. */
  readonly timeoutMs: number;
  readonly clock: Pick<Clock, "after" | "elapsed">;
  readonly charges: ChargeChanges;
  /** Creates the policy for the tickets that no limit holds back. It has room for `capacity`, which changes all the time. */
  readonly createInner: (host: QueueHost, room: { readonly capacity: number }) => HoldingPolicy;
}

/**
 * Enforces the limits of keys in front of another policy, which orders what they admit. The limits per minute and the budgets
 * of a key admit its requests one by one. Until then, the tickets of a request are pending: they wait in the order of their
 * numbers, and the inner policy does not know of them. From then on the request counts, and its tickets wait in the inner
 * policy, which holds them back while the key has its maximum number of running jobs. Tickets without a charge go straight
 * to the inner policy.
 */
export class LimitedQueue implements QueuePolicy {
  readonly #options: LimitedQueueOptions;
  readonly #host: QueueHost;
  readonly #inner: HoldingPolicy;
  readonly #keys = new Map<string, WaitingKey>();
  #pending = 0;
  /** Whether a job is just beginning, so that no other one may be woken. */
  #isBeginning = false;
  readonly shared?: SharedService;

  constructor(options: LimitedQueueOptions, host: QueueHost) {
    this.#options = options;
    this.#host = host;
    const pending = (): number => this.#pending;
    this.#inner = options.createInner(host, {
      get capacity() {
        return Math.max(0, options.capacity - pending());
      },
    });
    if (this.#inner.shared) this.shared = this.#inner.shared;
    options.charges.onChange((keyId) => {
      const key = this.#keys.get(keyId);
      if (key) this.#look(keyId, key);
    });
  }

  mayBegin(candidate: Candidate, now: number): boolean {
    const { charge } = candidate;
    if (charge && this.#mustWait(charge)) return false;
    return this.#inner.mayBegin(candidate, now);
  }

  evict(newcomer: Ticket, now: number): Eviction | undefined {
    const { charge } = newcomer;
    if (charge && charge.admittedAt === undefined) {
      const ahead = this.#keys.get(charge.keyId)?.pending.length ?? 0;
      const fault = charge.refusal(this.#options.timeoutMs, ahead);
      if (fault) return { ticket: newcomer, fault };
    }
    const eviction = this.#inner.evict(newcomer, now);
    if (!eviction || this.#pending === 0) return eviction;
    const pending = choosePending(newcomer, this.#keys.values(), this.#inner.flows(now));
    return pending ? { ticket: pending } : eviction;
  }

  join(ticket: Ticket, now: number): void {
    const { charge } = ticket;
    if (!charge) return this.#inner.join(ticket, now);
    const key = this.#keys.get(charge.keyId) ?? new WaitingKey(ticket.caller, charge);
    this.#keys.set(charge.keyId, key);
    key.charge = charge;
    charge.join();
    const isAdmitted =
      charge.admittedAt !== undefined || (key.pending.length === 0 && charge.admissionHold() === undefined);
    if (isAdmitted) {
      if (charge.admittedAt === undefined) charge.admit();
      key.admitted.add(ticket);
      this.#inner.join(ticket, now);
      if (charge.slotHold()) this.#setHeld(key, true);
      return;
    }
    key.addPending(ticket);
    this.#pending += 1;
    this.#wait(charge.keyId, key);
  }

  leave(ticket: Ticket): void {
    const { charge } = ticket;
    const key = charge && this.#keys.get(charge.keyId);
    if (!charge || !key) return this.#inner.leave(ticket);
    const isFirst = key.pending[0] === ticket;
    if (key.removePending(ticket)) this.#pending -= 1;
    else if (key.admitted.delete(ticket)) this.#inner.leave(ticket);
    else return;
    charge.leave();
    if (isFirst) this.#wait(charge.keyId, key);
    if (!key.isEmpty) return;
    this.#keys.delete(charge.keyId);
    this.#setHeld(key, false);
  }

  next(seat: OpenSeat, now: number): Ticket | undefined {
    return this.#inner.next(seat, now);
  }

  begin(ticket: Ticket, seat: Pick<OpenSeat, "lines" | "isContended">, now: number): void {
    const { charge } = ticket;
    this.#inner.begin(ticket, seat, now);
    if (!charge) return;
    this.#isBeginning = true;
    if (charge.admittedAt === undefined) charge.admit();
    charge.begin();
    this.#isBeginning = false;
  }

  end(ticket: Ticket, work: Work | undefined, now: number): void {
    this.#inner.end(ticket, work, now);
    ticket.charge?.end();
  }

  position(ticket: Ticket, now: number): number {
    const key = ticket.charge && this.#keys.get(ticket.charge.keyId);
    const place = key ? key.placeOf(ticket) : -1;
    return place < 0 ? this.#inner.position(ticket, now) : place + 1;
  }

  holdOf(ticket: Ticket): Hold | undefined {
    const { charge } = ticket;
    const key = charge && this.#keys.get(charge.keyId);
    if (!key) return undefined;
    // Pending tickets wait for the first of them.
    if (key.placeOf(ticket) >= 0) return charge.admissionHold() ?? key.pending[0]?.charge?.admissionHold();
    return key.isHeld && key.admitted.has(ticket) ? charge.slotHold() : undefined;
  }

  flows(now: number): readonly FlowFacts[] {
    const flows = this.#inner.flows(now);
    return this.#keys.size === 0 ? flows : withHeld(flows, [...this.#keys.values()], now);
  }

  #mustWait(charge: Charge): boolean {
    if (charge.slotHold()) return true;
    if (charge.admittedAt !== undefined) return false;
    return (this.#keys.get(charge.keyId)?.pending.length ?? 0) > 0 || charge.admissionHold() !== undefined;
  }

  /** Admits the requests that the limits of a key allow now, and holds its admitted tickets back or releases them. */
  #look(keyId: string, key: WaitingKey): void {
    if (this.#isBeginning) {
      if (key.charge.slotHold()) this.#setHeld(key, true);
      return;
    }
    const woken: Ticket[] = [];
    for (;;) {
      const [first] = key.pending;
      const hold = first?.charge?.admissionHold();
      if (hold?.isFinal) {
        this.#refuseAll(key);
        break;
      }
      if (!first?.charge || hold) break;
      first.charge.admit();
      key.pending.shift();
      this.#pending -= 1;
      key.admitted.add(first);
      this.#inner.join(first, this.#options.clock.elapsed());
      woken.push(first);
    }
    if (this.#keys.get(keyId) !== key) return;
    this.#wait(keyId, key);
    const released = this.#setHeld(key, key.charge.slotHold() !== undefined);
    for (const ticket of [...released, ...woken].sort((a, b) => a.number - b.number)) {
      if (key.isHeld) return;
      if (key.admitted.has(ticket)) this.#host.wake(ticket);
    }
  }

  /** Refuses the pending tickets of a key whose budget is used up. Admitted ones have reserved their part of it. */
  #refuseAll(key: WaitingKey): void {
    for (const ticket of [...key.pending]) {
      const fault = ticket.charge?.admissionHold()?.fault();
      if (fault) this.#host.refuse(ticket, fault);
    }
  }

  #setHeld(key: WaitingKey, isHeld: boolean): readonly Ticket[] {
    if (key.isHeld === isHeld) return [];
    key.isHeld = isHeld;
    return this.#inner.hold(key.caller, isHeld);
  }

  /** Looks again when the first pending ticket may be admitted: very soon if the one before it has just left. */
  #wait(keyId: string, key: WaitingKey): void {
    key.cancelTimer?.();
    key.cancelTimer = undefined;
    const [first] = key.pending;
    if (!first?.charge) return;
    const hold = first.charge.admissionHold();
    const waitMs = hold ? hold.waitMs : 0;
    if (waitMs === undefined) return;
    key.cancelTimer = this.#options.clock.after(Math.max(1, waitMs), () => {
      key.cancelTimer = undefined;
      this.#look(keyId, key);
    });
  }
}
