/** The part of the server at whose door a request was turned away. */
export type AuthSurface = "api" | "state" | "transfer" | "worker";

/** A door that clients come through: the model API, transfers, or a route that asks for no key. */
export type ClientSurface = "api" | "transfer" | "open";

/** How urgent a caller's jobs are beside those of other callers. */
export type CallerClass = "interactive" | "normal" | "background";

/** What one caller may use at once. */
export interface CallerLimits {
  /** Requests under way, waiting ones included; 0 sets no limit. */
  readonly maxRequests: number;
}

/** The client behind a request, as the server knows it after its door. */
export interface Caller {
  /**
   * Tells callers apart in logs and counts, and stays the same over restarts. It is never a key, and never computed from
   * one: `api-key:2`, `role:reader`, `anonymous`.
   */
  readonly name: string;
  /** The group whose members share one place in the queue. */
  readonly tenant: string;
  readonly class: CallerClass;
  /** Its share of a busy pool beside callers of its class, above 0. */
  readonly weight: number;
  readonly limits: CallerLimits;
  /** Whether the caller may use the model of this name; another quantization that stands in for it counts as the model. */
  may(model: string): boolean;
}

/** A caller whose request is under way. It ends with that request: whoever serves the request MUST call `leave`. */
export interface ActiveCaller extends Caller {
  /** Lets the connection be idle for as long as the request takes, until `leave`. */
  linger(): void;
  /** Counts the request out and gives the connection its idle timeout back. Every call but the first does nothing. */
  leave(): void;
}

/** A caller by this name without any restriction. */
export function createCaller(name: string, limits: CallerLimits = { maxRequests: 0 }): Caller {
  return { name, tenant: "default", class: "normal", weight: 1, limits, may: () => true };
}

/** The caller of a request that nobody was asked for a key for. */
export const ANONYMOUS: Caller = createCaller("anonymous");
