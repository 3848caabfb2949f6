import type { Claim } from "../pool/claim.ts";
import type { Pool } from "../pool/pool.ts";
import type { Remotes } from "../pool/remotes.ts";
import type { Work } from "../pool/seat.ts";
import type { PeerHandler } from "../tunnel/peer-handler.ts";
import type { Session } from "../tunnel/session.ts";

/** What a plugin may use of the cluster that its server belongs to. */
export interface ClusterPorts {
  /** The id of this server. */
  readonly serverId: string;
  readonly calls: Calls;
  readonly members: Members;
  readonly exchanges: PeerExchanges;
  /** Returns where the workers of one plugin are. */
  workersOf(pluginId: string): RemoteWorkers;
  /** Lets the pool of a plugin take part. Called once for each plugin. */
  joinPool(pluginId: string): PoolMembership;
  /** Returns what servers tell each other about a plugin's prompts. */
  prefixesOf(pluginId: string): SharedPrefixes;
}

/** The pool of one plugin as a member of the cluster. */
export interface PoolMembership {
  /** The workers of peers, for the pool that is to be built. */
  readonly remotes: Remotes;
  /**
   * Announces the pool's workers to peers from now on, and serves jobs of peers with them. `onPeerWork` is called for each
   * job of a peer, when its work has been added to the totals of its worker. Called once, before anything else happens to the
   * pool.
   */
  begin(pool: Pool, onPeerWork: (claim: Claim, work: Work) => void): void;
}

/** What servers tell each other about the prompts and responses of one plugin: a bounded number of hashes and ids. */
export interface SharedPrefixes {
  /** Tells the other servers that a session was sent a prompt with these hashes. */
  tellPrompt(sessionId: string, hashes: readonly bigint[]): void;
  /** Tells the other servers that a worker has a response. */
  tellResponse(key: string, workerId: string): void;
  /** Sets the receiver of what other servers tell. Called once. */
  onTold(listener: Pick<SharedPrefixes, "tellPrompt" | "tellResponse">): void;
}

/** The other servers of the cluster, as far as this one knows them. */
export interface Members {
  /** Returns the ids of those that are there, including those that have been silent for a moment. */
  ids(): readonly string[];
  /** Whether one of them can be reached and takes jobs and workers. */
  isAnyReady(): boolean;
  /** Calls `listener` with the id of each server that comes, or comes back after it was gone or has restarted. */
  onCame(listener: (serverId: string) => void): void;
  /** Calls `listener` with the id of each server that is gone, after `ids` does not contain it any more. */
  onGone(listener: (serverId: string) => void): void;
}

/** What servers know of a relay whose callers they let in, wherever it is connected. */
export interface WorkerAccess {
  /** What its owner calls it; cleaned. */
  readonly name: string;
  readonly restricts: boolean;
  /** The only tenants that its key allows; undefined for all of them. */
  readonly tenants: readonly string[] | undefined;
}

/** Where the workers of one plugin are connected, apart from this server. */
export interface RemoteWorkers {
  /** Returns the id of the server to which a worker is connected; undefined if no other server has it. */
  serverOf(workerId: string): string | undefined;
  /** Returns what a worker lets the servers decide about its callers; undefined if it decides that itself. */
  accessOf(workerId: string): WorkerAccess | undefined;
  /** Whether `accessOf` is there for some worker. */
  readonly hasAccess: boolean;
  /** Returns how long ago a worker left the last of the other servers; undefined if none of them had it lately. */
  leftAgoMs(workerId: string): number | undefined;
  /** Calls `listener` with the id of each worker that comes to another server or leaves one, after `serverOf` knows. */
  onMoved(listener: (workerId: string) => void): void;
}

/** The exchanges between servers, over their links. */
export interface PeerExchanges {
  /** Returns the session on which exchanges with a server are opened; undefined while it cannot be reached. */
  sessionTo(serverId: string): Session | undefined;
  /** Calls `listener` with the id of each server for which `sessionTo` has changed. */
  onChange(listener: (serverId: string) => void): void;
  /** Serves the exchanges of one kind that other servers open here. There is one handler for each kind. */
  serve(kind: string, handler: PeerHandler): void;
}

/**
 * Questions to single servers of the cluster, and their answers, as JSON. They are for small and rare messages: control, not
 * data.
 */
export interface Calls {
  /**
   * Answers the questions of one kind. `body` is what another server has sent, so it MUST be parsed. A handler that throws
   * gives the result `failed`. There is one handler for each kind.
   */
  answer(kind: string, handler: CallHandler): void;
  /** Asks a server, this one included, and waits up to `ms` for the answer. Never rejects. */
  ask(serverId: string, kind: string, body: unknown, ms: number): Promise<CallResult>;
}

/** Returns the answer, which MUST be JSON. `from` is the id of the server that asks. */
export type CallHandler = (body: unknown, from: string) => unknown;

/**
 * The outcome of a question. Only with `nobody`, `unknown` and `too_large` is it certain that the other server did nothing.
 * - `nobody`: no server of this id is there.
 * - `unknown`: the server knows no questions of this kind, because it has another version or other plugins.
 * - `late`: no answer came in time. `down`: the connection between the servers is broken.
 * - `failed`: the handler threw, or its answer cannot be sent. The other server has logged it.
 */
export type CallResult =
  | { readonly kind: "answer"; readonly body: unknown }
  | { readonly kind: "nobody" | "unknown" | "too_large" | "late" | "down" | "failed" };
