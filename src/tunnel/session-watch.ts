import type { IdHolder } from "./id-search.ts";
import type { Claimant } from "./owners.ts";
import type { Session } from "./session.ts";

/** A session of a worker that is connected to this server. One object stands for a session from its opening to its end. */
export interface HeldSession {
  readonly session: Session;
  /** The owner of the worker's id. It MUST NOT be shown to anyone. */
  readonly claimant: Claimant;
  /** Whether the worker was told to connect to another server. Its session here lasts until its jobs have ended. */
  readonly isLeaving: boolean;
  /** Whether the worker understands `handOver` and no request runs on the session. */
  readonly canMove: boolean;
  /** Asks the worker for a sign of life. */
  ping(): void;
  /** Tells the worker to connect again. This session goes on until then, and counts as that of a worker that leaves. */
  handOver(reason: string): void;
  /** Tells the worker to finish what runs and then to end the session. */
  drain(reason: string): void;
}

/**
 * Follows the sessions of one plugin on behalf of other servers, and knows the sessions that other servers have announced.
 */
export interface SessionWatch {
  /** Whether no worker of another server, present or just left, keeps the claimant from having the id. */
  mayClaim(workerId: string, claimant: Claimant): boolean;
  /** Returns the worker of another server that has an id; undefined if none has, or if it was told to leave. */
  holderOf(workerId: string): IdHolder | undefined;
  /** Called once for each session, after the plugin's pool was told of it. It may close the session. */
  onOpened(held: HeldSession): void;
  /** Called when the worker was told to connect to another server. */
  onLeaving(held: HeldSession): void;
  /** Called once, at the end of each session. */
  onClosed(held: HeldSession): void;
}
