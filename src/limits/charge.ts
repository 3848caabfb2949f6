import type { Fault } from "../errors.ts";
import type { Allowance, Begun } from "./allowance.ts";
import type { Calendar } from "./calendar.ts";
import type { Holder } from "./holder.ts";
import { labelOf, limitFault } from "./limit-faults.ts";
import { limitHeaders } from "./limit-headers.ts";
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

export interface KeyChargeOptions {
  readonly keyId: string;
  /** At least one. */
  readonly parts: readonly ChargePart[];
  readonly inputTokens: number;
  /** What the request is expected to use. */
  readonly expected: Amounts;
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
  readonly #options: KeyChargeOptions;
  #begun: readonly Begun[] | undefined;
  #admittedAt: number | undefined;
  /** The waiting jobs of the request while it is pending. */
  #pending = 0;

  constructor(options: KeyChargeOptions) {
    this.#options = options;
  }

  get keyId(): string {
    return this.#options.keyId;
  }

  /** The same for all keys that share limits with this one; undefined if none does. */
  get group(): string | undefined {
    return this.#options.parts.find(({ holder }) => holder.kind === "tenant")?.id;
  }

  /** `Clock.elapsed` at which it was admitted; undefined while it is pending. */
  get admittedAt(): number | undefined {
    return this.#admittedAt;
  }

  /** Returns the limit that keeps the request pending; undefined if it can be admitted, or has been. */
  admissionHold(): Hold | undefined {
    if (this.#begun) return undefined;
    return this.#holdBy((allowance) => allowance.heldBy(this.#options.expected));
  }

  /** Returns the limit for which no further job of the key may begin now. */
  slotHold(): Hold | undefined {
    return this.#holdBy((allowance) => allowance.full());
  }

  /**
   * Returns the error for a request that may not wait for up to `timeoutMs` behind `ahead` others of its key, and `aheadOfGroup`
   * of all keys that share limits with it.
   */
  refusal(timeoutMs: number, ahead: number, aheadOfGroup: number): Fault | undefined {
    for (const part of this.#options.parts) {
      const held = this.#refusedBy(part, timeoutMs, part.holder.kind === "key" ? ahead : aheadOfGroup);
      if (held) return this.#faultOf(part, held);
    }
    return undefined;
  }

  admit(): void {
    const { parts, clock, expected } = this.#options;
    for (; this.#pending > 0; this.#pending -= 1) for (const { allowance } of parts) allowance.removePending(expected);
    this.#begun ??= parts.map(({ allowance }) => allowance.begin(expected));
    this.#admittedAt ??= clock.elapsed();
    this.#noteUse();
  }

  join(): void {
    const isPending = this.#begun === undefined;
    for (const { allowance } of this.#options.parts) {
      allowance.join();
      if (isPending) allowance.addPending(this.#options.expected);
    }
    if (isPending) this.#pending += 1;
    this.#noteUse();
  }

  leave(): void {
    const isPending = this.#pending > 0;
    for (const { allowance } of this.#options.parts) {
      allowance.leave();
      if (isPending) allowance.removePending(this.#options.expected);
    }
    if (isPending) this.#pending -= 1;
    this.#noteUse();
  }

  begin(): void {
    for (const { allowance } of this.#options.parts) allowance.occupy();
    this.#noteUse();
    this.#tell();
  }

  end(): void {
    for (const { allowance } of this.#options.parts) allowance.vacate();
    this.#noteUse();
    this.#tell();
  }

  /** Counts what the request has used, instead of its reservation. A request that was never admitted has used nothing. */
  settle(used: Amounts): void {
    if (!this.#begun) return;
    const { parts, inputTokens } = this.#options;
    for (const begun of this.#begun) begun.settle(used);
    for (const { allowance } of parts) allowance.expectation.learn(inputTokens, used);
    this.#noteUse();
    this.#tell();
  }

  /** Returns the headers that tell the client how much its limits leave now. */
  headers(): Readonly<Record<string, string>> {
    const { parts, clock } = this.#options;
    return limitHeaders(
      parts.map(({ allowance }) => allowance),
      clock.now(),
    );
  }

  #refusedBy({ allowance }: ChargePart, timeoutMs: number, ahead: number): Held | undefined {
    const { expected } = this.#options;
    const held = allowance.heldBy(expected) ?? allowance.full();
    if (held && (held.kind === "spent" || !allowance.waits)) return held;
    const crowded = allowance.crowded();
    if (crowded) return crowded;
    if (!held && ahead === 0) return undefined;
    const wait = allowance.waitBehind(ahead, expected);
    return (wait?.waitMs ?? 0) > timeoutMs ? wait : undefined;
  }

  #noteUse(): void {
    const { onUse, parts } = this.#options;
    if (onUse) for (const { id } of parts) onUse(id);
  }

  /** Tells of the key alone, or of all keys that share limits with it. */
  #tell(): void {
    this.#options.onChange(this.group ?? this.keyId, this.keyId);
  }

  /** Returns the limit that holds for longest: a used-up budget, else one that depends on others, else the longest wait. */
  #holdBy(heldBy: (allowance: Allowance) => Held | undefined): Hold | undefined {
    let longest: { readonly part: ChargePart; readonly held: Held } | undefined;
    let isShared = true;
    for (const part of this.#options.parts) {
      const held = heldBy(part.allowance);
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
    return limitFault(held, this.#options.calendar, holder);
  }
}

function waitOf(held: Held): number {
  if (held.kind === "spent") return Number.POSITIVE_INFINITY;
  return held.waitMs ?? Number.MAX_SAFE_INTEGER;
}
