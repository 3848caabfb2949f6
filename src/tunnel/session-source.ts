import type { Close } from "../wire/closes.ts";
import type { WorkerTerms } from "../wire/worker-terms.ts";
import type { Greeting } from "./greeting.ts";
import type { Claimant } from "./owners.ts";
import type { Session, SessionHost } from "./session.ts";
import type { Upgrader } from "./sockets.ts";

/** The client keys in a worker's first message. */
export interface OfferedKeys {
  readonly clientKey: string | undefined;
  /** The key that the worker had before. */
  readonly previousKey: string | undefined;
}

/** A worker that wants to trade a join token for a key of its own. */
export interface Join {
  readonly token: string;
  /** A secret with which the worker can repeat the request; undefined if it cannot. */
  readonly proof: string | undefined;
  readonly workerId: string;
  /** Further ids that the key may register. */
  readonly otherIds: readonly string[];
  readonly name: string | undefined;
  /** Whether requests to the worker come from callers whose tenants are known. */
  readonly knowsTenants: boolean;
  readonly previousKey: string | undefined;
  /** Whether these owners may have the id. */
  mayHaveId(claimant: Claimant): boolean;
}

/** A program that asks to connect as a worker. */
export interface Applicant {
  /** Its address, for the log. */
  readonly address: string | undefined;
  /** Judges it by the keys that it names in its first message. */
  admit(keys: OfferedKeys): Admission;
  /** Trades its join token for a key. MUST NOT reject. */
  join(request: Join): Promise<Admission>;
}

/**
 * The server's verdict on a worker's keys: the owner that they stand for, which MUST NOT be shown, its name for people, and
 * the owner that it was before if it proved that, too; or the reason for a refusal. `terms` are what the key allows, and
 * `credential` is a key that was made for it just now, which MUST go to the worker alone.
 */
export type Admission =
  | {
      readonly ok: true;
      readonly owner: string;
      readonly caller: string;
      readonly previousOwner?: string;
      readonly terms?: WorkerTerms | undefined;
      readonly credential?: string | undefined;
    }
  | { readonly ok: false; readonly refusal: Refusal };

/** A close with which a worker is refused because of what it sent as its key or token. */
type Refusal =
  | "unauthorized"
  | "unexpected_client_key"
  | "too_many_wrong_keys"
  | "key_not_confirmed"
  | "join_token_unknown"
  | "join_token_expired"
  | "join_token_revoked"
  | "join_token_used_up"
  | "join_unavailable"
  | "tenants_not_known"
  | "id_in_use";

/** The owner of a plugin's sessions, which is notified of each from its beginning to its end. */
export interface SessionPool extends SessionHost {
  /** Called once for each session, before any other call about it. */
  onOpened(session: Session): void;
}

export interface IntakeOptions {
  /** The plugin whose workers these are: `llm`. */
  readonly pluginId: string;
  /** How the plugin's workers introduce themselves. */
  readonly greeting: Greeting;
  readonly pool: SessionPool;
  /** Whether an operator keeps a worker of this id from connecting. */
  readonly isBlocked: (workerId: string) => boolean;
  /** The largest message, in bytes, of a legacy worker that has registered. The frame limit applies unless given. */
  readonly maxLegacyBytes?: number;
}

/** Supplies plugins with sessions of their workers: from sockets of this server, or from anywhere else. */
export interface SessionSource {
  /** Starts to supply one plugin. Called once for each plugin. */
  createIntake(options: IntakeOptions): Intake;
}

/**
 * One plugin's supply of sessions.
 *
 * Duties: it MUST notify the pool of a session's opening exactly once, before anything else about that session, and of its
 * end exactly once, after which it MUST NOT mention the session again. It MUST NOT supply a session after `close`.
 */
export interface Intake {
  /**
   * Turns a worker's HTTP request into a socket, after a short wait when very many arrive at once. Returns, or resolves to,
   * undefined once the socket is open; throws, or rejects with, a `Fault` when there will be none.
   */
  upgrade(request: Request, upgrader: Upgrader, applicant: Applicant): undefined | Promise<undefined>;
  /** Whether a worker of this id is connected, or was lately. */
  knows(workerId: string): boolean;
  /**
   * Refuses new workers and tells those connected that another server is taking over, so that they connect to it as well.
   * Their sessions go on until `drain` and `close`. `retryAfterMs` is the shortest pause before they dial: a usual one unless
   * given, 0 if another server is ready.
   */
  handOver(reason: string, retryAfterMs?: number): void;
  /**
   * Refuses new workers and tells those connected that the server is going away. Their exchanges continue. `retryAfterMs` as
   * above.
   */
  drain(reason: string, retryAfterMs?: number): void;
  /** Ends every session. */
  close(close: Close): void;
}
