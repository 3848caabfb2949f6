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
  /** The id under which operators knew the job, and what follows, are absent where they are not known. */
  readonly jobId?: string | undefined;
  /** The path that was called, as `chat.completions`. */
  readonly kind?: string | undefined;
  readonly class?: string | undefined;
  /** What the worker of the last attempt calls itself. Untrusted text. */
  readonly workerName?: string | undefined;
  /** Why it had that worker, in one word. */
  readonly route?: string | undefined;
  /** The error as its client got it. It MUST NOT quote a text that clients choose freely. */
  readonly message?: string | undefined;
  readonly firstByteMs?: number | undefined;
  readonly bytesOut?: number | undefined;
  /** How often it was sent to a worker. */
  readonly attempts?: number | undefined;
  /** The attempts after which it went elsewhere, the first one first; at most 10. */
  readonly failedAttempts?: readonly EndedAttempt[] | undefined;
  /** Milliseconds that the last worker had it. */
  readonly lastAttemptMs?: number | undefined;
  /** How often a worker turned it down because no slot was free. */
  readonly refusals?: number | undefined;
}

/** An attempt that its worker failed. */
export interface EndedAttempt {
  readonly worker: string;
  readonly name: string;
  /** The server of the worker; undefined if it is this one. */
  readonly server?: string | undefined;
  readonly reason: string;
  readonly runningMs: number;
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
