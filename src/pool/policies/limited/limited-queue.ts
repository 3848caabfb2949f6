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
import { KeyGroup } from "./key-group.ts";
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
  /** The keys that share limits, by their group. */
  readonly #groups = new Map<string, KeyGroup>();
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
    options.charges.onChange((id) => {
      const key = this.#keys.get(id);
      if (key) this.#look(this.#sharersOf(key));
      else this.#look([...(this.#groups.get(id)?.keys ?? [])]);
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
      const aheadOfGroup = this.#groupOf(charge)?.aheadOf(newcomer.caller, ahead) ?? ahead;
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
      key.admitted.add(ticket);
      this.#inner.join(ticket, now);
      if (charge.slotHold()) this.#setHeld(key, true);
      return;
    }
    key.addPending(ticket);
    this.#pending += 1;
    this.#wait(key);
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
    const sharers = isFirst ? this.#sharersOf(key) : [];
    if (key.isEmpty) this.#forget(key);
    for (const each of sharers) this.#wait(each);
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
    const group = this.#groupOf(charge);
    return group && sharedHold(group, charge);
  }

  /** Admits the requests that the limits of some keys allow now, and holds their admitted tickets back or releases them. */
  #look(keys: readonly WaitingKey[]): void {
    if (this.#isBeginning) {
      for (const key of keys) if (key.charge.slotHold()) this.#setHeld(key, true);
      return;
    }
    const woken: Ticket[] = [];
    for (const key of keys) if (key.pending[0]?.charge?.admissionHold()?.isFinal) this.#refuseAll(key);
    for (let key = this.#nextAt(keys); key; key = this.#nextAt(keys)) {
      const first = key.pending.shift();
      if (!first?.charge) break;
      first.charge.admit();
      this.#groupOf(first.charge)?.admit(key);
      this.#pending -= 1;
      key.admitted.add(first);
      this.#inner.join(first, this.#options.clock.elapsed());
      woken.push(first);
    }
    const released: Ticket[] = [];
    for (const key of keys) {
      if (this.#keys.get(key.charge.keyId) !== key) continue;
      this.#wait(key);
      released.push(...this.#setHeld(key, key.charge.slotHold() !== undefined));
    }
    for (const ticket of [...released, ...woken].sort((a, b) => a.number - b.number)) {
      const key = ticket.charge && this.#keys.get(ticket.charge.keyId);
      if (key && !key.isHeld && key.admitted.has(ticket)) this.#host.wake(ticket);
    }
  }

  /** Returns the key whose first ticket is admitted next. `keys` are one key, or all of one group. */
  #nextAt(keys: readonly WaitingKey[]): WaitingKey | undefined {
    const [only] = keys;
    const group = only && this.#groupOf(only.charge);
    for (const key of group ? group.inTurn() : keys) {
      const hold = key.pending[0]?.charge?.admissionHold();
      if (!hold && key.pending.length > 0) return key;
      if (hold?.isShared) return undefined;
    }
    return undefined;
  }

  /** Notes the latest charge of a key, and the group that it names. */
  #enter(key: WaitingKey, charge: Charge): void {
    if (key.charge.group !== charge.group) this.#leaveGroup(key);
    key.charge = charge;
    this.#keys.set(charge.keyId, key);
    if (charge.group === undefined) return;
    const group = this.#groups.get(charge.group) ?? new KeyGroup();
    this.#groups.set(charge.group, group);
    group.keys.add(key);
  }

  #forget(key: WaitingKey): void {
    this.#keys.delete(key.charge.keyId);
    this.#leaveGroup(key);
    key.cancelTimer?.();
    key.cancelTimer = undefined;
    this.#setHeld(key, false);
  }

  #leaveGroup(key: WaitingKey): void {
    const { group: id } = key.charge;
    const group = this.#groupOf(key.charge);
    group?.keys.delete(key);
    if (id !== undefined && group?.keys.size === 0) this.#groups.delete(id);
  }

  #groupOf({ group }: Charge): KeyGroup | undefined {
    return group === undefined ? undefined : this.#groups.get(group);
  }

  /** Returns a key, and those that share limits with it. */
  #sharersOf(key: WaitingKey): readonly WaitingKey[] {
    const group = this.#groupOf(key.charge);
    return group ? [...group.keys] : [key];
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
  #wait(key: WaitingKey): void {
    key.cancelTimer?.();
    key.cancelTimer = undefined;
    const [first] = key.pending;
    if (!first?.charge) return;
    const hold = this.#admissionHold(first.charge);
    const waitMs = hold ? hold.waitMs : 0;
    if (waitMs === undefined) return;
    key.cancelTimer = this.#options.clock.after(Math.max(1, waitMs), () => {
      key.cancelTimer = undefined;
      this.#look(this.#sharersOf(key));
    });
  }
}

/** Returns the shared limit at which a key waits whose turn is before that of a request; undefined if there is none. */
function sharedHold(group: KeyGroup, { keyId }: Charge): Hold | undefined {
  for (const { charge, pending } of group.inTurn()) {
    if (charge.keyId === keyId) return undefined;
    const hold = pending[0]?.charge?.admissionHold();
    if (hold?.isShared) return hold;
  }
  return undefined;
}
