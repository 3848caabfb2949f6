import type { Caller } from "../auth/caller.ts";
import type { Usage } from "../figures/units.ts";

/** A request of a client of this server that has ended. */
export interface EndedRequest {
  readonly caller: Pick<Caller, "name" | "keyId">;
  /** A digest of the person behind the request; absent if it named none. */
  readonly endUser?: string | undefined;
  /** The model, or what takes its place, such as `mcp:<relay>`. It MUST NOT be a text that clients choose freely. */
  readonly model: string;
  readonly outcome: "completed" | "failed" | "canceled";
  readonly usage?: Usage | undefined;
  /** Whether `usage` is an estimate. */
  readonly isEstimated?: boolean | undefined;
  /** How long the request had no slot; 0 for one that needs none. */
  readonly waitMs: number;
  /** How long the request held a slot; 0 for one that needs none. */
  readonly heldMs: number;
}

/** A request to a model that has ended. */
export interface EndedJobRequest extends EndedRequest {
  readonly plugin: string;
  readonly requestId: string;
  /** The worker of the last attempt; undefined if no worker had it. */
  readonly worker?: string | undefined;
  /** The server of that worker; undefined if it is this one. */
  readonly workerServer?: string | undefined;
  /** The code of the error that ended it; undefined for any other end. */
  readonly reason?: string | undefined;
  readonly status?: number | undefined;
}

/**
 * Counts the requests that have ended, each of them once, at the server that its client has called. Methods MUST be quick
 * and MUST NOT throw.
 */
export interface EndedRequests {
  addJob(job: EndedJobRequest): void;
  /** Adds a request that is not to a model. */
  addOther(request: EndedRequest): void;
}
