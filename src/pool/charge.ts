import type { Caller } from "../auth/caller.ts";
import type { Fault } from "../errors.ts";

/** Why a limit of its key holds a request back. */
export interface Hold {
  /** The name of the limit: `parallel`, `requests_per_minute`, or `tenant.parallel` for one that a tenant's keys share. */
  readonly limit: string;
  /** Milliseconds after which it may let the request continue; undefined if that depends on another request of the key. */
  readonly waitMs: number | undefined;
  /**
   * Whether the request must not wait, because the limit will hold for longer than a request may wait, or because requests of the key
   * are refused at their limits.
   */
  readonly isFinal: boolean;
  /** Whether only limits that other keys share hold the request back. */
  readonly isShared: boolean;
  /** Returns the error for a request that does not wait any longer. */
  fault(): Fault;
}

/**
 * What one request takes from the limits of its key and its tenant. All jobs that serve the request share it, so a request that is sent
 * again or served in parts counts once.
 */
export interface Charge {
  /** The same for all requests of the key. */
  readonly keyId: string;
  /** The same for all keys that share limits with this one; undefined if none does. */
  readonly group: string | undefined;
  /** `Clock.elapsed` at which the limits admitted the request; undefined while it is pending. */
  readonly admittedAt: number | undefined;
  /** Returns the limit that keeps the request pending; undefined if it can be admitted, or has been. */
  admissionHold(): Hold | undefined;
  /** Returns the limit for which no further job of the key may begin now; undefined if one may. */
  slotHold(): Hold | undefined;
  /**
   * Returns the error for a request that may not wait: because its key is at a limit and does not wait there, because too many
   * requests of the key wait, or because the wait would take longer than `timeoutMs`. `ahead` requests of the key are to be
   * admitted before it, and `aheadOfGroup` of all keys that share limits with it.
   */
  refusal(timeoutMs: number, ahead: number, aheadOfGroup: number): Fault | undefined;
  /** Admits the request. `admissionHold` MUST have returned undefined in the same turn. */
  admit(): void;
  /** Counts a job that waits, until `leave`. */
  join(): void;
  leave(): void;
  /** Counts a job that has got a slot, until `end`. */
  begin(): void;
  end(): void;
}

/**
 * Reports that limits may allow more or less than before, by the id of their key or group: a request has begun or ended, or the
 * limits were changed. `keyId` is the key of the request, which may have left the group since the request began; without a
 * request, it is the same as `id`.
 */
export interface ChargeChanges {
  onChange(listener: (id: string, keyId: string) => void): void;
}

/** The charge of a request, as the code that serves the request holds it. */
export interface RequestCharge extends Charge {
  /** Counts what the request has used, instead of its reservation. MUST be called once, when the request has ended. */
  settle(used: Amounts): void;
  /** Sets the headers that tell the client how much its limits leave. */
  setHeaders(headers: { set(name: string, value: string): void }): void;
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
  /** Returns the charge of a request; undefined for a caller without limits, for which `needs` is not called. */
  open(caller: Pick<Caller, "keyId" | "tenant">, needs: () => Needs): RequestCharge | undefined;
  /**
   * Counts a request that is no job towards the limits per minute. Returns the error for one that does not fit, which then does
   * not count.
   */
  takeRequest(caller: Pick<Caller, "keyId" | "tenant">): Fault | undefined;
}
