import type { Caller } from "../auth/caller.ts";
import type { Usage } from "../figures/units.ts";

/** A request of a client of this server that has ended. */
export interface EndedRequest {
  readonly caller: Pick<Caller, "name" | "keyId">;
  /** A digest of the person behind the request; absent if it named none. */
  readonly endUser?: string | undefined;
  /** The model, or what takes its place, such as `mcp:<relay>`. Clients MUST NOT choose it freely. */
  readonly model: string;
  readonly outcome: "completed" | "failed" | "canceled";
  readonly usage?: Usage | undefined;
  /** Whether `usage` is an estimate. */
  readonly isEstimated?: boolean | undefined;
  /** Time without a slot; 0 for a request that needs none. */
  readonly waitMs: number;
  /** Time with a slot; 0 for a request that needs none. */
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
 * Takes note of the requests that have ended, each of them once: at the server that its client has called. Methods MUST be
 * quick and never throw.
 */
export interface EndedRequests {
  addJob(job: EndedJobRequest): void;
  /** Adds a request that is not to a model. */
  addOther(request: EndedRequest): void;
}
