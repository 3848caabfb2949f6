import type { McpRules } from "../wire/mcp-call.ts";

/** The part of the server that refused a request. */
export type AuthSurface = "api" | "state" | "transfer" | "worker" | "relay";

/** A part of the server that clients use: the model API, transfers, or a route that requires no key. */
export type ClientSurface = "api" | "transfer" | "open";

/** The urgency of a caller's jobs, compared with those of other callers. */
export type CallerClass = "interactive" | "normal" | "background";

/** What a caller may do at connector relays, whose callers this server lets in. An absent member restricts nothing. */
export interface RelayTerms {
  /** Whether the caller may call the relay with this id. */
  mayCall(relayId: string): boolean;
  /** What the caller may use of a relay, which the relay enforces. */
  readonly rules?: McpRules;
  /** Calls that may run at once, at all relays together. Streams that only listen do not count. */
  readonly parallel?: number;
  readonly requestsPerMinute?: number;
}

/** The limits on one caller's concurrent use. */
export interface CallerLimits {
  /** Concurrent requests, including those that wait; 0 sets no limit. */
  readonly maxRequests: number;
}

/** The client behind a request, after its credentials were checked. */
export interface Caller {
  /**
   * Identifies the caller in logs and counts, and stays the same over restarts. It is never a key or computed from a key:
   * `api-key:2`, `role:reader`, `anonymous`.
   */
  readonly name: string;
  /** The group whose members share one place in the queue. */
  readonly tenant: string;
  readonly class: CallerClass;
  /** The caller's share of a busy pool, relative to other callers of its class. Above 0. */
  readonly weight: number;
  readonly limits: CallerLimits;
  /** The id of the key that was made for the caller. Absent for configured keys, roles and callers without a key. */
  readonly keyId?: string | undefined;
  /** The header, in lower case, that names the end user behind each request. Absent: `END_USER_HEADERS` does. */
  readonly userHeader?: string | undefined;
  /** `own`: workers that serve only the caller's tenant come before others. */
  readonly prefer?: "own" | undefined;
  /** What the caller may do at connector relays; absent: everything. */
  readonly relays?: RelayTerms | undefined;
  /** The name of the program that calls by a grant of the caller; absent for a caller that sends a key. */
  readonly client?: string | undefined;
  /**
   * Returns whether the caller may use the model of this name. A stand-in, such as another quantization, counts as the
   * model.
   */
  may(model: string): boolean;
}

/** The origin of a request, as log lines name it. */
export type Origin = Pick<ActiveCaller, "name" | "keyId" | "tenant" | "client" | "address" | "route">;

/** A caller whose request is running. The code that serves the request MUST call `leave` when the request ends. */
export interface ActiveCaller extends Caller {
  /** The client's address for logs: the one that a trusted proxy states, else the peer's. Undefined if it is not known. */
  readonly address: string | undefined;
  /** The path that was called, for logs: see `routeOf`. */
  readonly route: string;
  /** Lifts the connection's idle timeout until `leave`, for a request that takes long. */
  linger(): void;
  /** Stops counting the request and restores the connection's idle timeout. Later calls do nothing. */
  leave(): void;
}

/** The tenant of all callers whose keys name none. */
export const DEFAULT_TENANT = "default";

/** Creates a caller that may use every model. */
export function createCaller(name: string, limits: CallerLimits = { maxRequests: 0 }): Caller {
  return { name, tenant: DEFAULT_TENANT, class: "normal", weight: 1, limits, may: () => true };
}

/** The caller of a request that needed no key. */
export const ANONYMOUS: Caller = createCaller("anonymous");
