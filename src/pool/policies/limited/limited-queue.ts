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
import { withDoors } from "./door-flows.ts";
import { HeldKey } from "./held-key.ts";
import { chooseAtDoor } from "./push-out.ts";

export interface LimitedQueueOptions {
  /** How many tickets may wait, at the doors and behind them. Tickets that were accepted before and those of peers are never refused. */
  readonly capacity: number;
  /** How long a ticket may wait. */
  readonly timeoutMs: number;
  readonly clock: Pick<Clock, "after" | "elapsed">;
  readonly charges: ChargeChanges;
  /** Creates the policy for the tickets that no limit holds back. It has room for `capacity`, which changes all the time. */
  readonly createInner: (host: QueueHost, room: { readonly capacity: number }) => HoldingPolicy;
}

/**
 * Keeps the limits of keys before another policy, which orders what they let through. A request is first let in by the limits
 * per minute and the budgets of its key; until then its tickets wait at the key's door, in the order of their numbers, where the
 * inner policy does not know of them. What is let in counts from then on. Behind the door, the inner policy holds the
 * key's tickets back while as many of its jobs run as may run at once. Tickets without a charge pass unseen.
 */
export class LimitedQueue implements QueuePolicy {
  readonly #options: LimitedQueueOptions;
  readonly #host: QueueHost;
  readonly #inner: HoldingPolicy;
  readonly #keys = new Map<string, HeldKey>();
  #atDoors = 0;
  /** Whether a job begins now, so that no other one may be woken. */
  #isBeginning = false;
  readonly shared?: SharedService;

  constructor(options: LimitedQueueOptions, host: QueueHost) {
    this.#options = options;
    this.#host = host;
    const atDoors = (): number => this.#atDoors;
    this.#inner = options.createInner(host, {
      get capacity() {
        return Math.max(0, options.capacity - atDoors());
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
      const ahead = this.#keys.get(charge.keyId)?.door.length ?? 0;
      const fault = charge.refusal(this.#options.timeoutMs, ahead);
      if (fault) return { ticket: newcomer, fault };
    }
    const eviction = this.#inner.evict(newcomer, now);
    if (!eviction || this.#atDoors === 0) return eviction;
    const atDoor = chooseAtDoor(newcomer, this.#keys.values(), this.#inner.flows(now));
    return atDoor ? { ticket: atDoor } : eviction;
  }

  join(ticket: Ticket, now: number): void {
    const { charge } = ticket;
    if (!charge) return this.#inner.join(ticket, now);
    const key = this.#keys.get(charge.keyId) ?? new HeldKey(ticket.caller, charge);
    this.#keys.set(charge.keyId, key);
    key.charge = charge;
    charge.join();
    const isLetIn = charge.admittedAt !== undefined || (key.door.length === 0 && charge.doorHold() === undefined);
    if (isLetIn) {
      if (charge.admittedAt === undefined) charge.admit();
      key.inside.add(ticket);
      this.#inner.join(ticket, now);
      if (charge.slotHold()) this.#setHeld(key, true);
      return;
    }
    key.stand(ticket);
    this.#atDoors += 1;
    this.#wait(charge.keyId, key);
  }

  leave(ticket: Ticket): void {
    const { charge } = ticket;
    const key = charge && this.#keys.get(charge.keyId);
    if (!charge || !key) return this.#inner.leave(ticket);
    const isFirst = key.door[0] === ticket;
    if (key.depart(ticket)) this.#atDoors -= 1;
    else if (key.inside.delete(ticket)) this.#inner.leave(ticket);
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
    // At the door, the first ticket holds the others up.
    if (key.placeOf(ticket) >= 0) return charge.doorHold() ?? key.door[0]?.charge?.doorHold();
    return key.isHeld && key.inside.has(ticket) ? charge.slotHold() : undefined;
  }

  flows(now: number): readonly FlowFacts[] {
    const flows = this.#inner.flows(now);
    return this.#keys.size === 0 ? flows : withDoors(flows, [...this.#keys.values()], now);
  }

  #mustWait(charge: Charge): boolean {
    if (charge.slotHold()) return true;
    if (charge.admittedAt !== undefined) return false;
    return (this.#keys.get(charge.keyId)?.door.length ?? 0) > 0 || charge.doorHold() !== undefined;
  }

  /** Lets in what the limits of a key let in now, and holds or releases what is behind its door. */
  #look(keyId: string, key: HeldKey): void {
    if (this.#isBeginning) {
      if (key.charge.slotHold()) this.#setHeld(key, true);
      return;
    }
    const woken: Ticket[] = [];
    for (;;) {
      const [first] = key.door;
      const hold = first?.charge?.doorHold();
      if (hold?.isFinal) {
        this.#refuseAll(key);
        break;
      }
      if (!first?.charge || hold) break;
      first.charge.admit();
      key.door.shift();
      this.#atDoors -= 1;
      key.inside.add(first);
      this.#inner.join(first, this.#options.clock.elapsed());
      woken.push(first);
    }
    if (this.#keys.get(keyId) !== key) return;
    this.#wait(keyId, key);
    const released = this.#setHeld(key, key.charge.slotHold() !== undefined);
    for (const ticket of [...released, ...woken].sort((a, b) => a.number - b.number)) {
      if (key.isHeld) return;
      if (key.inside.has(ticket)) this.#host.wake(ticket);
    }
  }

  /** Refuses the tickets at a door whose budget is used up. Those behind it have their part of the budget. */
  #refuseAll(key: HeldKey): void {
    for (const ticket of [...key.door]) {
      const fault = ticket.charge?.doorHold()?.fault();
      if (fault) this.#host.refuse(ticket, fault);
    }
  }

  #setHeld(key: HeldKey, isHeld: boolean): readonly Ticket[] {
    if (key.isHeld === isHeld) return [];
    key.isHeld = isHeld;
    return this.#inner.hold(key.caller, isHeld);
  }

  /** Looks again when the first ticket at the door may be let in; soon, if it may now because one before it has left. */
  #wait(keyId: string, key: HeldKey): void {
    key.cancelTimer?.();
    key.cancelTimer = undefined;
    const [first] = key.door;
    if (!first?.charge) return;
    const hold = first.charge.doorHold();
    const waitMs = hold ? hold.waitMs : 0;
    if (waitMs === undefined) return;
    key.cancelTimer = this.#options.clock.after(Math.max(1, waitMs), () => {
      key.cancelTimer = undefined;
      this.#look(keyId, key);
    });
  }
}
