import type { Fault } from "../errors.ts";

/** Why a limit of its key holds a request back. */
export interface Hold {
  /** The name of the limit: `parallel`, `requests_per_minute`. */
  readonly limit: string;
  /** Milliseconds after which it may let the request go on; undefined if that depends on another request of the key. */
  readonly waitMs: number | undefined;
  /** Whether waiting is of no use, because the limit does not pass for as long as a request may wait. */
  readonly isFinal: boolean;
  /** Returns the error for a request that waits no longer. */
  fault(): Fault;
}

/**
 * What one request takes from the limits of its key. All jobs that serve the request share it, so a request that is sent
 * again or served in parts counts once.
 */
export interface Charge {
  /** The same for all requests of the key. */
  readonly keyId: string;
  /** `Clock.elapsed` at which its limits per minute let the request in; undefined until then. */
  readonly admittedAt: number | undefined;
  /** Returns the limit for which the request is not let in now. Undefined if it is, or has been. */
  doorHold(): Hold | undefined;
  /** Returns the limit for which no further job of the key may begin now. */
  slotHold(): Hold | undefined;
  /**
   * Returns the error for a request that may not wait: its key is at a limit and does not wait there, too many requests of the
   * key wait, or the wait would take longer than `timeoutMs`. `ahead` requests of the key are to be let in before it.
   */
  refusal(timeoutMs: number, ahead: number): Fault | undefined;
  /** Lets the request in. `doorHold` MUST have returned undefined in the same turn. */
  admit(): void;
  /** Counts a job that waits, until `leave`. */
  join(): void;
  leave(): void;
  /** Counts a job that has got a slot, until `end`. */
  begin(): void;
  end(): void;
}

/** Tells of limits that may let more or less through than before: a request has begun or ended, or the limits were changed. */
export interface ChargeChanges {
  onChange(listener: (keyId: string) => void): void;
}

/** The charge of a request, as the code that serves the request holds it. */
export interface RequestCharge extends Charge {
  /** Replaces what was reserved by what the request has used. MUST be called once, when the request has ended. */
  settle(used: Amounts): void;
  /** Returns the headers that tell the client what its limits leave. */
  headers(): Readonly<Record<string, string>>;
}

export interface Amounts {
  /** Input and output together. */
  readonly tokens: number;
  readonly audioSeconds: number;
}

/** What is known of a request before it begins. */
export interface Needs {
  readonly inputTokens: number;
  /** The most output that the request asks for; undefined if it does not say. */
  readonly maxOutput: number | undefined;
}

/** Opens the charges of requests. */
export interface Charges extends ChargeChanges {
  /** Returns the charge of a request; undefined for a caller without a key that has limits. `needs` is asked for others only. */
  open(keyId: string | undefined, needs: () => Needs): RequestCharge | undefined;
}
