import type { Fault } from "../errors.ts";
import type { Allowance } from "./allowance.ts";
import type { Calendar } from "./calendar.ts";
import type { Holder } from "./holder.ts";
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

/** The limits of a key, or those of its tenant, all of which a request must pass. */
export interface ChargePart {
  readonly id: string;
  readonly holder: Holder;
  readonly allowance: Allowance;
}

/** What all requests of a key have in common, until limits are set or removed. */
export interface ChargeTerms {
  readonly keyId: string;
  readonly tenant: string;
  readonly parts: readonly ChargePart[];
  /** Whether its requests wait at a limit of theirs or of their tenant. If not, they are refused. */
  readonly waits: boolean;
  /** The charges of the key that have waiting jobs. */
  readonly waiting: Set<KeyCharge>;
  /** The same for all keys that share limits with this one; undefined if none does. */
  readonly group: string | undefined;
  readonly calendar: Calendar;
  readonly clock: { now(): number; elapsed(): number };
  /**
   * Called when limits may allow more or less than before: with the id of those that the request shares with other keys, or that
   * of its key if there are none, and with the id of its key.
   */
  readonly onChange: (id: string, keyId: string) => void;
  /** Called when a key or tenant holds, uses or waits for more or less than before. */
  readonly onUse?: ((id: string) => void) | undefined;
}

/** What one request takes from the limits of its key and its tenant, however many jobs serve it. */
export class KeyCharge {
  #terms: ChargeTerms;
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
    this.#terms = terms;
    this.#inputTokens = inputTokens;
    this.#expected = expected;
  }

  get keyId(): string {
    return this.#terms.keyId;
  }

  get tenant(): string {
    return this.#terms.tenant;
  }

  get group(): string | undefined {
    return this.#terms.group;
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
    for (const part of this.#terms.parts) {
      const held = this.#refusedBy(part, timeoutMs, part.holder.kind === "key" ? ahead : aheadOfGroup);
      if (held) return this.#faultOf(part, held);
    }
    return undefined;
  }

  admit(): void {
    const { parts, clock } = this.#terms;
    for (; this.#pending > 0; this.#pending -= 1)
      for (const { allowance } of parts) allowance.removePending(this.#expected);
    if (this.#counted === undefined) {
      this.#counted = this.#terms;
      for (const { allowance } of parts) allowance.begin(this.#expected);
    }
    this.#admittedAt ??= clock.elapsed();
    this.#noteUse();
  }

  join(): void {
    const isPending = this.#admittedAt === undefined;
    for (const { allowance } of this.#terms.parts) {
      allowance.join();
      if (isPending) allowance.addPending(this.#expected);
    }
    if (isPending) this.#pending += 1;
    this.#waiting += 1;
    this.#terms.waiting.add(this);
    this.#noteUse();
  }

  /**
   * Takes over what has changed for the key while the request waits: other limits, or another tenant. A request of which a job runs
   * stays with the tenant that it began with, and one that was admitted stays counted where it was.
   */
  follow(terms: ChargeTerms): void {
    if (this.#running > 0) return;
    const [before, waiting, pending] = [this.#terms, this.#waiting, this.#pending];
    for (const { allowance } of before.parts) {
      for (let count = 0; count < waiting; count += 1) allowance.leave();
      for (let count = 0; count < pending; count += 1) allowance.removePending(this.#expected);
    }
    for (const { allowance } of terms.parts) {
      for (let count = 0; count < waiting; count += 1) allowance.join();
      for (let count = 0; count < pending; count += 1) allowance.addPending(this.#expected);
    }
    this.#noteUse();
    this.#terms = terms;
    this.#noteUse();
  }

  leave(): void {
    const isPending = this.#pending > 0;
    for (const { allowance } of this.#terms.parts) {
      allowance.leave();
      if (isPending) allowance.removePending(this.#expected);
    }
    if (isPending) this.#pending -= 1;
    this.#waiting -= 1;
    if (this.#waiting === 0) this.#terms.waiting.delete(this);
    this.#noteUse();
  }

  begin(): void {
    this.#running += 1;
    for (const { allowance } of this.#terms.parts) allowance.occupy();
    this.#noteUse();
    this.#tell();
  }

  end(): void {
    this.#running -= 1;
    for (const { allowance } of this.#terms.parts) allowance.vacate();
    this.#noteUse();
    this.#tell();
  }

  /**
   * Counts what the request has used, instead of its reservation. Does nothing for a request that was never admitted, or is
   * settled already.
   */
  settle(used: Amounts): void {
    if (this.#counted === undefined || this.#isSettled) return;
    this.#isSettled = true;
    for (const { allowance } of this.#counted.parts) {
      allowance.settle(this.#expected, used);
      allowance.expectation.learn(this.#inputTokens, used);
    }
    this.#noteUse(this.#counted);
    this.#tell();
    // The key was moved to another tenant after that.
    if (this.#counted.group !== this.#terms.group) this.#tell(this.#counted);
  }

  /** Sets the headers that tell the client how much its limits leave now. */
  setHeaders(headers: AnswerHeaders): void {
    const { parts, clock } = this.#terms;
    setLimitHeaders(headers, parts, clock);
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

  #noteUse({ onUse, parts } = this.#terms): void {
    if (onUse) for (const { id } of parts) onUse(id);
  }

  /** Tells of the key alone, or of all keys that share limits with it. */
  #tell({ onChange, group, keyId } = this.#terms): void {
    onChange(group ?? keyId, keyId);
  }

  /** Returns the limit that holds for longest: a used-up budget, else one that depends on others, else the longest wait. */
  #holdBy(heldBy: (allowance: Allowance, expected: Amounts) => Held | undefined): Hold | undefined {
    let longest: { readonly part: ChargePart; readonly held: Held } | undefined;
    let [isShared, isFinal] = [true, false];
    for (const part of this.#terms.parts) {
      const held = heldBy(part.allowance, this.#expected);
      if (!held) continue;
      isShared &&= part.holder.kind === "tenant";
      isFinal ||= this.#isFinal(held, part.allowance);
      if (!longest || waitOf(held) > waitOf(longest.held)) longest = { part, held };
    }
    if (!longest) return undefined;
    const { part, held } = longest;
    return {
      limit: labelOf(held.limit, part.holder),
      waitMs: held.kind === "busy" ? held.waitMs : undefined,
      isFinal,
      isShared,
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
