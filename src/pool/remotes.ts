import type { Exchange, ExchangeRequest, ExchangeSink } from "../tunnel/exchange.ts";
import type { ModelInfo } from "../wire/model-info.ts";
import type { HostInfo } from "../wire/worker-messages.ts";
import type { Needs } from "./able.ts";
import type { RouteReason } from "./routing/route.ts";
import type { Work } from "./seat.ts";
import type { Ticket } from "./ticket.ts";

// The workers of other servers, as a pool sees them. A pool asks its own directory first, and a server without peers has no
// `Remotes` at all. The pool resolves names: everything here is about exactly the named model.

/** The part of a demand that decides which workers of peers may serve it. */
export interface RemoteNeeds extends Needs {
  /** The only worker that may serve it; undefined if any may. */
  readonly workerId?: string | undefined;
  /**
   * A session that should serve it. The peer's own policy decides, so this only restricts the groups to that of the session.
   */
  readonly sessionId?: string | undefined;
  /** Whether only workers count that serve certain tenants alone, among them the caller's. Absent: no. */
  readonly ownOnly?: boolean;
}

/**
 * Workers of one peer that serve one model and for which a request is written in the same way. The entry server writes the
 * request before the peer chooses the worker.
 */
export interface RemoteGroup {
  readonly model: string;
  /** The workers' own name for the model; undefined if it is the same. */
  readonly sentAs: string | undefined;
  /** What these workers have in common of what they say of their hosts and backends: at least the family of the backend. */
  readonly hostInfo: HostInfo;
  /** Inputs that each of them takes in one embeddings request; undefined if one has not said. */
  readonly embeddingBatchSize: number | undefined;
  /** Whether one of them says that it has the model in memory. */
  readonly isLoaded: boolean;
  /** Like `Claim.isKeptAlive`, for all of them. */
  readonly isKeptAlive: boolean;
  /** The kinds of exchange that each of them takes; HTTP only, unless given. */
  readonly exchangeKinds?: readonly string[];
  /** The only tenants that these workers serve; absent for all of them. */
  readonly tenants?: readonly string[] | undefined;
}

/** A slot on a peer that a job may have, as far as is known here. The peer may have given it away since. */
export interface RemoteChoice {
  /** The id of the peer. */
  readonly server: string;
  readonly group: RemoteGroup;
  /** The worker whose slot it is; absent if the peer chooses among the workers of the group. */
  readonly workerId?: string;
  /** The id of that worker's session; absent if it is not known. */
  readonly sessionId?: string;
  /** Whether the peer holds the slot for this server, ahead of other jobs that wait for it. Absent: no. */
  readonly isOffered?: boolean;
  /** Why the job goes there; `peer` unless given, or `retry` after a worker has failed the job. */
  readonly reason?: RouteReason;
  /** See `Route`. */
  readonly share?: number;
  /** Takes the slot for a job, so that no other job of this server counts on it. Called at most once. */
  hold(): RemoteSlot;
}

/** The request that a peer gets for one attempt of a job. */
export interface PeerRequest {
  readonly ticket: Ticket;
  readonly request: ExchangeRequest;
}

/** A slot on a peer, held for one attempt of a job. */
export interface RemoteSlot {
  /**
   * Sends the request to the peer, as a claim on one of its workers. The sink MUST NOT be called before this call has
   * returned. Without a link to the peer the exchange MUST end as `lost`; if the peer has no slot, as `refused`.
   */
  open(request: PeerRequest, sink: ExchangeSink): Exchange;
  /** Reports to the peer how much output its worker has made so far, for the worker's rate. */
  progress(output: number): void;
  /** Reports to the peer what the job cost its worker. Called at most once, before or after `release`. */
  count(work: Work): void;
  /** Gives the slot back. MUST be called once, unless `refuse` is. */
  release(): void;
  /**
   * Notes that the peer had no slot. No job MUST be sent there for a moment, unless the peer announces a free slot before.
   */
  refuse(): void;
}

/** What the peers serve. All calls are synchronous and answered from memory. */
export interface RemoteModels {
  /**
   * Chooses a peer and a group that serves exactly this model, with a slot that is free as far as is known: near peers first,
   * then the one with the most free slots. Only workers that the needs allow count. Undefined if there is none.
   */
  choose(model: string, needs: RemoteNeeds): RemoteChoice | undefined;
  /** Whether a worker that the needs allow takes jobs for exactly this model, busy or not. */
  isReady(model: string, needs: RemoteNeeds): boolean;
  /** Counts the slots of the workers that serve exactly this model and that the needs allow, and how many are held. */
  loadOf(model: string, needs: RemoteNeeds): { readonly busy: number; readonly slots: number };
  /**
   * Returns what the workers of each peer together say about exactly this model. With a tenant, what workers say that do not serve
   * its callers is left out.
   */
  infosOf(model: string, tenant?: string): Iterable<ModelInfo>;
  /** How many workers of peers serve exactly this model. */
  workersOf(model: string): number;
  /** The models of an alias (`aliasKey`) that a worker of a peer takes jobs for. */
  modelsOf(alias: string): Iterable<string>;
  /** The models that a worker of a peer takes jobs for now, in any order. */
  servedModels(): Iterable<string>;
  /** The models that are served by a peer or were within the grace period, in any order. */
  knownModels(): Iterable<string>;
  /** Whether a model is known to the callers of a tenant, or to some caller if that is undefined. */
  isKnownModel(model: string, tenant?: string): boolean;
  /** Whether a model of the alias is served by a peer or was within the grace period, for these callers. */
  isKnownAlias(alias: string, tenant?: string): boolean;
  /**
   * Whether a worker is connected to a peer or was within the grace period. With a tenant, a connected worker that does not serve
   * its callers is not known.
   */
  isKnownWorker(workerId: string, tenant?: string): boolean;
  /** The id of the peer to which a worker is connected; undefined if it is connected to none. */
  serverOf(workerId: string): string | undefined;
  /** The time, in milliseconds since 1970, at which any peer first saw a model; undefined for one that is not known. */
  firstSeenAt(model: string): number | undefined;
  /** How many workers are connected to peers. */
  readonly size: number;
  /** How many of them, at least, serve the callers of a tenant; all, if that is undefined. */
  sizeFor(tenant: string | undefined): number;
  /** Whether some of them serve or served only certain tenants. */
  readonly isDivided: boolean;
  /**
   * Whether each peer that is there has announced what it serves. Until then, an unknown model may become known in a moment.
   */
  readonly isSettled: boolean;
  /** Grows with every change of what the peers offer. */
  readonly offersRevision: number;
}

/** The jobs that wait here for slots that may be free elsewhere. */
export interface RemoteQueue {
  /**
   * Tells peers that a job waits. When one of them offers a slot, `PoolPeers.serveRemote` MUST be called with it. Called once
   * for each wait, before anything else about that wait.
   */
  want(ticket: Ticket): void;
  /** Notes that a job no longer waits. MUST do nothing for a job that did not wait. */
  unwant(ticket: Ticket): void;
  /**
   * Whether peers offer their free slots to jobs that wait. If so, the pool takes none of those slots for waiting jobs by
   * itself, because the jobs of all servers would compete for the same few slots. Absent: it takes them.
   */
  readonly hasOffers?: boolean;
  /** How many jobs of other servers come before those of this server that wait like this job, as far as is known. */
  ahead(ticket: Ticket): number;
}

/** The other servers of the cluster, as one pool uses them. */
export interface Remotes {
  readonly models: RemoteModels;
  readonly queue: RemoteQueue;
}
