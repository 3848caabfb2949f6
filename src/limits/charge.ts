import type { Fault } from "../errors.ts";
import type { Allowance, Begun } from "./allowance.ts";
import type { Calendar } from "./calendar.ts";
import { limitFault } from "./limit-faults.ts";
import { limitHeaders } from "./limit-headers.ts";
import type { LimitName } from "./limit-names.ts";
import type { Amounts, Held } from "./limit-state.ts";

/** A limit that holds a request back now. */
export interface Hold {
  readonly limit: LimitName;
  readonly waitMs: number | undefined;
  /** Whether it is a budget that is used up: no request waits until it resets. */
  readonly isFinal: boolean;
  fault(): Fault;
}

export interface KeyChargeOptions {
  readonly keyId: string;
  readonly allowance: Allowance;
  readonly inputTokens: number;
  /** What the request is expected to use. */
  readonly expected: Amounts;
  readonly calendar: Calendar;
  readonly clock: { now(): number; elapsed(): number };
  /** Called when the limits may allow more or less than before. */
  readonly onChange: (keyId: string) => void;
  /** Called when the key holds, uses or waits for more or less than before. */
  readonly onUse?: ((keyId: string) => void) | undefined;
}

/** What one request takes from the limits of its key, however many jobs serve it. */
export class KeyCharge {
  readonly #options: KeyChargeOptions;
  #begun: Begun | undefined;
  #admittedAt: number | undefined;
  /** The waiting jobs of the request while it is pending. */
  #pending = 0;

  constructor(options: KeyChargeOptions) {
    this.#options = options;
  }

  get keyId(): string {
    return this.#options.keyId;
  }

  /** `Clock.elapsed` at which it was admitted; undefined while it is pending. */
  get admittedAt(): number | undefined {
    return this.#admittedAt;
  }

  /** Returns the limit that keeps the request pending; undefined if it can be admitted, or has been. */
  admissionHold(): Hold | undefined {
    if (this.#begun) return undefined;
    const { allowance, expected } = this.#options;
    return this.#toHold(allowance.heldBy(expected));
  }

  /** Returns the limit for which no further job of the key may begin now. */
  slotHold(): Hold | undefined {
    return this.#toHold(this.#options.allowance.full());
  }

  /** Returns the error for a request that may not wait for up to `timeoutMs` behind `ahead` others of its key. */
  refusal(timeoutMs: number, ahead: number): Fault | undefined {
    const { allowance, expected } = this.#options;
    const held = allowance.heldBy(expected) ?? allowance.full();
    if (held && (held.kind === "spent" || !allowance.waits)) return this.#faultOf(held);
    const crowded = allowance.crowded();
    if (crowded) return this.#faultOf(crowded);
    if (!held && ahead === 0) return undefined;
    const wait = allowance.waitBehind(ahead, expected);
    return (wait?.waitMs ?? 0) > timeoutMs && wait ? this.#faultOf(wait) : undefined;
  }

  admit(): void {
    const { allowance, clock, expected } = this.#options;
    for (; this.#pending > 0; this.#pending -= 1) allowance.removePending(expected);
    this.#begun ??= allowance.begin(expected);
    this.#admittedAt ??= clock.elapsed();
    this.#noteUse();
  }

  join(): void {
    const { allowance, expected } = this.#options;
    allowance.join();
    if (!this.#begun) {
      allowance.addPending(expected);
      this.#pending += 1;
    }
    this.#noteUse();
  }

  leave(): void {
    const { allowance, expected } = this.#options;
    allowance.leave();
    if (this.#pending > 0) {
      allowance.removePending(expected);
      this.#pending -= 1;
    }
    this.#noteUse();
  }

  begin(): void {
    const { allowance, keyId, onChange } = this.#options;
    allowance.occupy();
    this.#noteUse();
    onChange(keyId);
  }

  end(): void {
    const { allowance, keyId, onChange } = this.#options;
    allowance.vacate();
    this.#noteUse();
    onChange(keyId);
  }

  /** Counts what the request has used, instead of its reservation. A request that was never admitted has used nothing. */
  settle(used: Amounts): void {
    if (!this.#begun) return;
    const { allowance, inputTokens, keyId, onChange } = this.#options;
    this.#begun.settle(used);
    allowance.learn(inputTokens, used);
    this.#noteUse();
    onChange(keyId);
  }

  /** Returns the headers that tell the client how much its limits leave now. */
  headers(): Readonly<Record<string, string>> {
    const { allowance, clock } = this.#options;
    return limitHeaders(allowance, clock.now());
  }

  #noteUse(): void {
    const { onUse, keyId } = this.#options;
    onUse?.(keyId);
  }

  #toHold(held: Held | undefined): Hold | undefined {
    if (!held) return undefined;
    return {
      limit: held.limit,
      waitMs: held.kind === "busy" ? held.waitMs : undefined,
      isFinal: held.kind === "spent",
      fault: () => this.#faultOf(held),
    };
  }

  #faultOf(held: Held): Fault {
    return limitFault(held, this.#options.calendar);
  }
}
