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
import { KeyGroups } from "./key-groups.ts";
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
 *
 * Keys that share limits take turns: while the key whose turn it is waits for a shared limit, no other one is admitted before it.
 */
export class LimitedQueue implements QueuePolicy {
  readonly #options: LimitedQueueOptions;
  readonly #host: QueueHost;
  readonly #inner: HoldingPolicy;
  readonly #keys = new Map<string, WaitingKey>();
  readonly #groups = new KeyGroups();
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
    options.charges.onChange((id, keyId) => {
      if (this.#keys.size === 0) return;
      const key = this.#keys.get(keyId);
      // The key may have been moved to another tenant.
      const left = key && this.#groups.follow(key);
      if (left) this.#look(left);
      const group = this.#groups.get(id);
      if (group) this.#look([...group.keys]);
      // The key may share other limits than when the request began, or none.
      if (key && !group?.keys.has(key)) this.#look(this.#groups.sharersOf(key));
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
      const aheadOfGroup = this.#groups.of(charge)?.aheadOf(newcomer.caller, ahead) ?? ahead;
      const fault = charge.refusal(this.#options.timeoutMs, ahead, aheadOfGroup);
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
    this.#enter(key, charge);
    charge.join();
    const isAdmitted =
      charge.admittedAt !== undefined || (key.pending.length === 0 && this.#admissionHold(charge) === undefined);
    if (isAdmitted) {
      if (charge.admittedAt === undefined) charge.admit();
      this.#joinInner(key, ticket, now);
      const hold = charge.slotHold();
      if (hold) this.#setHeld(key, hold);
      return;
    }
    key.addPending(ticket);
    this.#pending += 1;
    if (key.pending[0] === ticket) this.#await(this.#groups.sharersOf(key));
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
    if (charge === key.charge && !key.isEmpty) key.renewCharge();
    const sharers = isFirst ? this.#groups.sharersOf(key) : [];
    if (key.isEmpty) this.#forget(key);
    this.#await(sharers);
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
    if (key.placeOf(ticket) >= 0) return this.#admissionHold(charge) ?? key.pending[0]?.charge?.admissionHold();
    return key.isHeld && key.admitted.has(ticket) ? charge.slotHold() : undefined;
  }

  flows(now: number): readonly FlowFacts[] {
    const flows = this.#inner.flows(now);
    return this.#keys.size === 0 ? flows : withHeld(flows, [...this.#keys.values()], now);
  }

  #mustWait(charge: Charge): boolean {
    if (charge.slotHold()) return true;
    if (charge.admittedAt !== undefined) return false;
    return (this.#keys.get(charge.keyId)?.pending.length ?? 0) > 0 || this.#admissionHold(charge) !== undefined;
  }

  /**
   * Returns what keeps a request pending: a limit of its own, or one that it shares with a key whose turn comes first. Undefined
   * if it can be admitted.
   */
  #admissionHold(charge: Charge): Hold | undefined {
    const own = charge.admissionHold();
    if (own || charge.admittedAt !== undefined) return own;
    return this.#groups.of(charge)?.holdBefore(charge.keyId);
  }

  /** Admits the requests that the limits of some keys allow now, and holds their admitted tickets back or releases them. */
  #look(keys: readonly WaitingKey[]): void {
    if (this.#isBeginning) {
      for (const key of keys) {
        const hold = key.charge.slotHold();
        if (hold) this.#setHeld(key, hold);
      }
      return;
    }
    const woken: Ticket[] = [];
    this.#refuseHeld(keys);
    for (let key = this.#nextAt(keys); key; key = this.#nextAt(keys)) {
      const tickets = key.takeRequest();
      const charge = tickets[0]?.charge;
      if (!charge) break;
      charge.admit();
      this.#groups.of(charge)?.admit(key);
      this.#pending -= tickets.length;
      for (const ticket of tickets) this.#joinInner(key, ticket, this.#options.clock.elapsed());
      woken.push(...tickets);
    }
    // What was admitted may have used up what others of the group would have needed.
    if (woken.length > 0) this.#refuseHeld(keys);
    this.#await(keys);
    const released: Ticket[] = [];
    for (const key of keys)
      if (this.#keys.get(key.charge.keyId) === key) released.push(...this.#setHeld(key, key.charge.slotHold()));
    for (const ticket of [...released, ...woken].sort((a, b) => a.number - b.number)) {
      const key = ticket.charge && this.#keys.get(ticket.charge.keyId);
      if (key && !key.isHeld && key.admitted.has(ticket)) this.#host.wake(ticket);
    }
  }

  #joinInner(key: WaitingKey, ticket: Ticket, now: number): void {
    key.admitted.add(ticket);
    this.#inner.join(ticket, now);
    // The inner policy did not know the key if it was held back while it had only pending tickets.
    if (key.isHeld) this.#inner.hold(key.caller, true, true);
  }

  /** Returns the key whose first ticket is admitted next. `keys` are one key, or all of one group. */
  #nextAt(keys: readonly WaitingKey[]): WaitingKey | undefined {
    for (const key of this.#groups.inTurn(keys)) {
      const hold = key.pending[0]?.charge?.admissionHold();
      if (!hold && key.pending.length > 0) return key;
      if (hold?.isShared) return undefined;
    }
    return undefined;
  }

  /** Notes the latest charge of a key, and the group that it names. */
  #enter(key: WaitingKey, charge: Charge): void {
    const isNew = !this.#keys.has(charge.keyId);
    key.charge = charge;
    this.#keys.set(charge.keyId, key);
    const left = isNew ? undefined : this.#groups.follow(key);
    if (isNew) this.#groups.enter(key);
    if (!left) return;
    this.#await(left);
    this.#await(this.#groups.sharersOf(key));
  }

  #forget(key: WaitingKey): void {
    this.#keys.delete(key.charge.keyId);
    this.#groups.leave(key);
    key.cancelTimer?.();
    key.cancelTimer = undefined;
    this.#setHeld(key, undefined);
  }

  /**
   * Refuses the pending tickets of keys whose first one must not wait: at a used-up budget, of which admitted ones have reserved their
   * part, or because the key refuses at its limits. Waiting for the turn of another key is no limit of its own.
   */
  #refuseHeld(keys: readonly WaitingKey[]): void {
    for (const key of keys) if (key.pending[0]?.charge?.admissionHold()?.isFinal) this.#refuseAll(key);
  }

  #refuseAll(key: WaitingKey): void {
    for (const ticket of [...key.pending]) {
      const fault = ticket.charge?.admissionHold()?.fault();
      if (fault) this.#host.refuse(ticket, fault);
    }
  }

  #setHeld(key: WaitingKey, hold: Hold | undefined): readonly Ticket[] {
    const isHeld = hold !== undefined;
    if (hold && !hold.isShared) key.isHeldByOwn = true;
    if (key.isHeld === isHeld) return [];
    const isWait = isHeld || !key.isHeldByOwn;
    key.isHeld = isHeld;
    if (!isHeld) key.isHeldByOwn = false;
    return this.#inner.hold(key.caller, isHeld, isWait);
  }

  /**
   * Looks again when the first pending ticket of a key may be admitted: very soon if the one before it has just left. `keys` are
   * one key, or all of one group. Those whose turn comes after a key that waits for a shared limit wait for that key.
   */
  #await(keys: readonly WaitingKey[]): void {
    for (const key of keys) {
      key.cancelTimer?.();
      key.cancelTimer = undefined;
    }
    for (const key of this.#groups.inTurn(keys)) {
      const hold = key.pending[0]?.charge?.admissionHold();
      const waitMs = hold ? hold.waitMs : 0;
      if (waitMs !== undefined && key.pending.length > 0)
        key.cancelTimer = this.#options.clock.after(Math.max(1, waitMs), () => {
          key.cancelTimer = undefined;
          this.#look(this.#groups.sharersOf(key));
        });
      if (hold?.isShared) return;
    }
  }
}
