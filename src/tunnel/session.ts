import type { Close } from "../wire/closes.ts";
import type { ModelInfo } from "../wire/model-info.ts";
import { HTTP_KIND } from "../wire/names.ts";
import type { HostInfo } from "../wire/worker-messages.ts";
import type { Exchange, ExchangeRequest, ExchangeSink } from "./exchange.ts";

/** The slots of a peer that declares no number. */
export const UNBOUNDED = Number.MAX_SAFE_INTEGER;

/** A worker's current offer. */
export interface Offer {
  readonly models: readonly string[];
  /** What it says of its models; absent when it says nothing. It may speak of models that it does not offer. */
  readonly modelInfo?: readonly ModelInfo[];
  /**
   * Those of its models that it has in memory, or is loading; absent when it does not say. A request for another one may wait
   * until that is loaded.
   */
  readonly loaded?: readonly string[];
  /** Jobs that it declared to take at once. */
  readonly maxConcurrency: number;
  /** Inputs that it takes in one embeddings request; undefined if it has not said. */
  readonly embeddingBatchSize: number | undefined;
  /** The kinds of exchange that it announced: names of the worker's choice. Absent when it announced none. */
  readonly exchangeKinds?: readonly string[];
  /** The only tenants whose jobs the worker's key lets it have; absent for all of them. */
  readonly tenants?: ReadonlySet<string>;
  /** The models that it offers although its key does not allow them. They are not among `models`. Absent for none. */
  readonly refusedModels?: readonly string[];
  readonly status: "ready" | "not_ready" | "draining";
  /** Why the worker is not ready, in its own words: untrusted text. */
  readonly reason: string | undefined;
}

/** The identity of a worker. Everything but the id is the worker's own statement. */
export interface WorkerInfo {
  readonly id: string;
  readonly name: string;
  readonly version: string | undefined;
  readonly hostInfo: HostInfo;
}

/** Returns how many jobs a worker takes at once under its current offer. */
export function capacityOf(offer: Offer): number {
  return offer.status === "ready" ? offer.maxConcurrency : 0;
}

/** The kinds of exchange of a worker that announced none. */
export const HTTP_ALONE: readonly string[] = [HTTP_KIND];

/** Returns whether a worker takes exchanges of this kind. One that announced no kinds takes HTTP alone. */
export function takesKind(offer: Offer, kind: string): boolean {
  return (offer.exchangeKinds ?? HTTP_ALONE).includes(kind);
}

/**
 * A worker's live link, as the pool and the plugins see it: what the worker offers, and a way to send it requests.
 *
 * The port hides what carries the requests, so a session need not use a socket of this server. It does not hide who
 * counts the worker's slots: a pool counts only what it claimed itself, so a worker that another server also uses can be
 * full while it seems free here, and answers with the ending `refused`.
 *
 * `tests/contract/session.ts` holds implementations to the duties below and to those of `Exchange` and `ExchangeSink`.
 */
export interface Session {
  readonly id: string;
  readonly worker: WorkerInfo;
  readonly dialect: "native" | "legacy";
  readonly offer: Offer;
  /** Milliseconds since 1970. */
  readonly connectedAt: number;
  /** Milliseconds since 1970 of the last heartbeat message. */
  readonly lastHeartbeatAt: number;
  /** Milliseconds since the last sign of life of any kind. */
  readonly silentMs: number;
  readonly telemetry: Telemetry;
  /**
   * Sends a request. MUST NOT call the sink before it has returned, even if the request fails. An exchange on a
   * session that has ended MUST end as `lost`; one of a kind that the worker did not announce, as `unsupported`; one whose
   * whole body is larger than the session can carry, as `too_large`. The worker MUST NOT see anything of these exchanges.
   */
  open(request: ExchangeRequest, sink: ExchangeSink): Exchange;
  /**
   * Ends the session. MUST call the host's `onClosed` first and then end each exchange that still runs as `lost`. MUST do
   * nothing on a session that has ended.
   */
  close(close: Close): void;
}

export interface Telemetry {
  readonly cpuPercent: number | undefined;
  readonly ramUsedPercent: number | undefined;
}

/** The owner of a session, which is notified of its changes. */
export interface SessionHost {
  /** Called when `Session.offer` has changed. MUST NOT be called after `onClosed`. */
  onOfferChange(session: Session): void;
  /** MUST be called exactly once, when the session has ended for any reason, before its exchanges end. */
  onClosed(session: Session, reason: string): void;
}
