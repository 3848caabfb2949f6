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
  /** Whether it is a budget that is used up: no request waits until it resets. */
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
  /** At least one. */
  readonly parts: readonly ChargePart[];
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
  readonly #terms: ChargeTerms;
  readonly #inputTokens: number;
  readonly #expected: Amounts;
  #admittedAt: number | undefined;
  #isSettled = false;
  /** The waiting jobs of the request while it is pending. */
  #pending = 0;

  /** `expected` is what the request is expected to use, including `inputTokens`. */
  constructor(terms: ChargeTerms, inputTokens: number, expected: Amounts) {
    this.#terms = terms;
    this.#inputTokens = inputTokens;
    this.#expected = expected;
  }

  get keyId(): string {
    return this.#terms.keyId;
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
    if (this.#admittedAt === undefined) for (const { allowance } of parts) allowance.begin(this.#expected);
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
    this.#noteUse();
  }

  leave(): void {
    const isPending = this.#pending > 0;
    for (const { allowance } of this.#terms.parts) {
      allowance.leave();
      if (isPending) allowance.removePending(this.#expected);
    }
    if (isPending) this.#pending -= 1;
    this.#noteUse();
  }

  begin(): void {
    for (const { allowance } of this.#terms.parts) allowance.occupy();
    this.#noteUse();
    this.#tell();
  }

  end(): void {
    for (const { allowance } of this.#terms.parts) allowance.vacate();
    this.#noteUse();
    this.#tell();
  }

  /**
   * Counts what the request has used, instead of its reservation. Does nothing for a request that was never admitted, or is
   * settled already.
   */
  settle(used: Amounts): void {
    if (this.#admittedAt === undefined || this.#isSettled) return;
    this.#isSettled = true;
    for (const { allowance } of this.#terms.parts) {
      allowance.settle(this.#expected, used);
      allowance.expectation.learn(this.#inputTokens, used);
    }
    this.#noteUse();
    this.#tell();
  }

  /** Sets the headers that tell the client how much its limits leave now. */
  setHeaders(headers: AnswerHeaders): void {
    const { parts, clock } = this.#terms;
    setLimitHeaders(headers, parts, clock);
  }

  #refusedBy({ allowance }: ChargePart, timeoutMs: number, ahead: number): Held | undefined {
    const held = allowance.heldBy(this.#expected) ?? allowance.full();
    if (held && (held.kind === "spent" || !allowance.waits)) return held;
    const crowded = allowance.crowded();
    if (crowded) return crowded;
    if (!held && ahead === 0) return undefined;
    const wait = allowance.waitBehind(ahead, this.#expected);
    return (wait?.waitMs ?? 0) > timeoutMs ? wait : undefined;
  }

  #noteUse(): void {
    const { onUse, parts } = this.#terms;
    if (onUse) for (const { id } of parts) onUse(id);
  }

  /** Tells of the key alone, or of all keys that share limits with it. */
  #tell(): void {
    const { onChange, group, keyId } = this.#terms;
    onChange(group ?? keyId, keyId);
  }

  /** Returns the limit that holds for longest: a used-up budget, else one that depends on others, else the longest wait. */
  #holdBy(heldBy: (allowance: Allowance, expected: Amounts) => Held | undefined): Hold | undefined {
    let longest: { readonly part: ChargePart; readonly held: Held } | undefined;
    let isShared = true;
    for (const part of this.#terms.parts) {
      const held = heldBy(part.allowance, this.#expected);
      if (!held) continue;
      isShared &&= part.holder.kind === "tenant";
      if (!longest || waitOf(held) > waitOf(longest.held)) longest = { part, held };
    }
    if (!longest) return undefined;
    const { part, held } = longest;
    return {
      limit: labelOf(held.limit, part.holder),
      waitMs: held.kind === "busy" ? held.waitMs : undefined,
      isFinal: held.kind === "spent",
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
