import type { Fault } from "../errors.ts";
import type { Allowance } from "./allowance.ts";
import { type ChargePart, type ChargeTerms, type Follower, partsOf } from "./charge-terms.ts";
import { labelOf, limitFault } from "./limit-faults.ts";
import { type AnswerHeaders, setLimitHeaders } from "./limit-headers.ts";
import type { Amounts, Held } from "./limit-state.ts";

/** A limit that holds a request back now. */
export interface Hold {
  /** The limit's name: `parallel`, or `tenant.parallel` for that of a tenant. */
  readonly limit: string;
  readonly waitMs: number | undefined;
  /** Whether the request does not wait until the limit allows it: at a used-up budget, or because its key or tenant says so. */
  readonly isFinal: boolean;
  /** Whether only limits that other keys share hold the request back. */
  readonly isShared: boolean;
  fault(): Fault;
}

/**
 * What one request takes from the limits of its key and its tenant, however many jobs serve it. What is called for each request names both:
 * going through a list of them takes longer than asking them.
 */
export class KeyCharge implements Follower {
  /** What counts for the key, as far as the request knows. */
  #taken: ChargeTerms;
  /** The changes of the key that it knows of. */
  #changes: number;
  /** The terms whose limits count the request; undefined while it is pending. */
  #counted: ChargeTerms | undefined;
  readonly #inputTokens: number;
  readonly #expected: Amounts;
  #admittedAt: number | undefined;
  #isSettled = false;
  /** The waiting jobs of the request, and those of them that have joined while it is pending. */
  #waiting = 0;
  #pending = 0;
  /** The jobs that have a slot. */
  #running = 0;

  /** `expected` is what the request is expected to use, including `inputTokens`. */
  constructor(terms: ChargeTerms, inputTokens: number, expected: Amounts) {
    this.#taken = terms;
    this.#changes = terms.progress.changes;
    this.#inputTokens = inputTokens;
    this.#expected = expected;
  }

  /** What counts for the key now. A request of which no job waited or ran when that changed takes it over here. */
  get #terms(): ChargeTerms {
    const { changes, latest } = this.#taken.progress;
    if (changes !== this.#changes && latest) this.follow(latest);
    return this.#taken;
  }

  get keyId(): string {
    return this.#terms.keyId;
  }

  get tenant(): string {
    return this.#terms.tenant;
  }

  /** The same for all keys that share limits with this one; undefined if none does. */
  get group(): string | undefined {
    return this.#terms.shared?.id;
  }

  /** `Clock.elapsed` at which it was admitted; undefined while it is pending. */
  get admittedAt(): number | undefined {
    return this.#admittedAt;
  }

  /** Returns the limit that keeps the request pending; undefined if it can be admitted, or has been. */
  admissionHold(): Hold | undefined {
    return this.#admittedAt === undefined ? this.#holdBy(admissionOf) : undefined;
  }

  /** Returns the limit for which no further job of the key may begin now. */
  slotHold(): Hold | undefined {
    return this.#holdBy(slotOf);
  }

  /**
   * Returns the error for a request that may not wait for up to `timeoutMs` behind `ahead` others of its key, and `aheadOfGroup`
   * of all keys that share limits with it.
   */
  refusal(timeoutMs: number, ahead: number, aheadOfGroup: number): Fault | undefined {
    for (const part of partsOf(this.#terms)) {
      const held = this.#refusedBy(part, timeoutMs, part.holder.kind === "key" ? ahead : aheadOfGroup);
      if (held) return this.#faultOf(part, held);
    }
    return undefined;
  }

  admit(): void {
    const { own, shared, clock } = this.#terms;
    for (; this.#pending > 0; this.#pending -= 1) {
      own?.allowance.removePending(this.#expected);
      shared?.allowance.removePending(this.#expected);
    }
    if (this.#counted === undefined) {
      this.#counted = this.#terms;
      own?.allowance.begin(this.#expected);
      shared?.allowance.begin(this.#expected);
    }
    this.#admittedAt ??= clock.elapsed();
    this.#noteUse();
  }

  join(): void {
    const { own, shared, progress } = this.#terms;
    own?.allowance.join();
    shared?.allowance.join();
    if (this.#admittedAt === undefined) {
      own?.allowance.addPending(this.#expected);
      shared?.allowance.addPending(this.#expected);
      this.#pending += 1;
    }
    this.#waiting += 1;
    progress.charges.add(this);
    this.#noteUse();
  }

  /**
   * Takes over what has changed for the key: other limits, or another tenant. The jobs of the request that wait or run count there
   * from now on, and what it was admitted for stays counted where it was.
   */
  follow(terms: ChargeTerms): void {
    const [before, waiting, pending, running] = [this.#taken, this.#waiting, this.#pending, this.#running];
    for (const { allowance } of partsOf(before)) {
      for (let count = 0; count < waiting; count += 1) allowance.leave();
      for (let count = 0; count < pending; count += 1) allowance.removePending(this.#expected);
      for (let count = 0; count < running; count += 1) allowance.vacate();
    }
    for (const { allowance } of partsOf(terms)) {
      for (let count = 0; count < running; count += 1) allowance.occupy();
      for (let count = 0; count < waiting; count += 1) allowance.join();
      for (let count = 0; count < pending; count += 1) allowance.addPending(this.#expected);
    }
    this.#taken = terms;
    this.#changes = terms.progress.changes;
    this.#noteUse(before);
    this.#noteUse(terms);
  }

  leave(): void {
    const { own, shared } = this.#terms;
    own?.allowance.leave();
    shared?.allowance.leave();
    if (this.#pending > 0) {
      own?.allowance.removePending(this.#expected);
      shared?.allowance.removePending(this.#expected);
      this.#pending -= 1;
    }
    this.#waiting -= 1;
    this.#leaveProgress();
    this.#noteUse();
  }

  begin(): void {
    const { own, shared, progress } = this.#terms;
    this.#running += 1;
    progress.charges.add(this);
    own?.allowance.occupy();
    shared?.allowance.occupy();
    this.#noteUse();
    this.#tell();
  }

  end(): void {
    const { own, shared } = this.#terms;
    this.#running -= 1;
    this.#leaveProgress();
    own?.allowance.vacate();
    shared?.allowance.vacate();
    this.#noteUse();
    this.#tell();
  }

  /**
   * Counts what the request has used, instead of its reservation. Does nothing for a request that was never admitted, or is
   * settled already.
   */
  settle(used: Amounts): void {
    const counted = this.#counted;
    if (counted === undefined || this.#isSettled) return;
    this.#isSettled = true;
    const { own, shared } = counted;
    own?.allowance.settle(this.#expected, used);
    own?.allowance.expectation.learn(this.#inputTokens, used);
    shared?.allowance.settle(this.#expected, used);
    shared?.allowance.expectation.learn(this.#inputTokens, used);
    this.#noteUse(counted);
    this.#tell();
    // The key was moved to another tenant after that.
    if (shared?.id !== this.group) this.#tell(counted);
  }

  /** Sets the headers that tell the client how much its limits leave now. */
  setHeaders(headers: AnswerHeaders): void {
    const { own, shared, clock } = this.#terms;
    setLimitHeaders(headers, own?.allowance, shared?.allowance, clock);
  }

  #leaveProgress(): void {
    if (this.#waiting === 0 && this.#running === 0) this.#taken.progress.charges.delete(this);
  }

  #refusedBy({ allowance }: ChargePart, timeoutMs: number, ahead: number): Held | undefined {
    const held = allowance.heldBy(this.#expected) ?? allowance.full();
    if (held && this.#isFinal(held, allowance)) return held;
    const crowded = allowance.crowded();
    if (crowded) return crowded;
    if (!held && ahead === 0) return undefined;
    const wait = allowance.waitBehind(ahead, this.#expected);
    return (wait?.waitMs ?? 0) > timeoutMs ? wait : undefined;
  }

  /** Whether the request does not wait until the limit allows it. */
  #isFinal({ kind }: Held, { waits }: Allowance): boolean {
    return kind === "spent" || !waits || !this.#terms.waits;
  }

  #noteUse({ onUse, own, shared } = this.#terms): void {
    if (onUse && own) onUse(own.id);
    if (onUse && shared) onUse(shared.id);
  }

  /** Tells of the key alone, or of all keys that share limits with it. */
  #tell({ onChange, shared, keyId } = this.#terms): void {
    onChange(shared?.id ?? keyId, keyId);
  }

  /** Returns the limit that holds for longest: a used-up budget, else one that depends on others, else the longest wait. */
  #holdBy(heldBy: (allowance: Allowance, expected: Amounts) => Held | undefined): Hold | undefined {
    const { own, shared } = this.#terms;
    const byOwn = own && heldBy(own.allowance, this.#expected);
    const byShared = shared && heldBy(shared.allowance, this.#expected);
    if (!byOwn && !byShared) return undefined;
    const isFinal =
      (own && byOwn && this.#isFinal(byOwn, own.allowance)) ||
      (shared && byShared && this.#isFinal(byShared, shared.allowance)) ||
      false;
    if (shared && byShared && (!byOwn || waitOf(byShared) > waitOf(byOwn)))
      return this.#toHold(shared, byShared, { isFinal, isShared: byOwn === undefined });
    return own && byOwn && this.#toHold(own, byOwn, { isFinal, isShared: false });
  }

  #toHold(part: ChargePart, held: Held, how: Pick<Hold, "isFinal" | "isShared">): Hold {
    return {
      limit: labelOf(held.limit, part.holder),
      waitMs: held.kind === "busy" ? held.waitMs : undefined,
      isFinal: how.isFinal,
      isShared: how.isShared,
      fault: () => this.#faultOf(part, held),
    };
  }

  #faultOf({ holder }: ChargePart, held: Held): Fault {
    return limitFault(held, this.#terms.calendar, holder);
  }
}

function admissionOf(allowance: Allowance, expected: Amounts): Held | undefined {
  return allowance.heldBy(expected);
}

function slotOf(allowance: Allowance): Held | undefined {
  return allowance.full();
}

function waitOf(held: Held): number {
  if (held.kind === "spent") return Number.POSITIVE_INFINITY;
  return held.waitMs ?? Number.MAX_SAFE_INTEGER;
}
