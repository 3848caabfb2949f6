import type { AnyElysia } from "elysia";
import type { AccessChanges, OpenedSide } from "../auth/access-changes.ts";
import type { Access } from "../auth/auth.ts";
import type { AccessLists } from "../auth/gates.ts";
import type { Metrics } from "../figures/metrics.ts";
import type { Plugin } from "../plugin/contract.ts";

/** The outcome of a reload of keys and roles. A refused one has changed nothing. */
export type Reloaded =
  | { readonly ok: true; readonly changes: AccessChanges; readonly disconnected: number }
  | { readonly ok: false; readonly opened: OpenedSide };

/** The server without its listener. */
export interface App {
  /** The fetch-style handler: one request in, one response out. WebSocket upgrades need the listener. */
  handle(request: Request): Promise<Response>;
  /** The same for the separate listener of `/metrics`. */
  handleMetrics(request: Request): Promise<Response>;
  /** The Elysia instance, for `listen`. */
  readonly elysia: AnyElysia;
  readonly plugins: readonly Plugin[];
  readonly metrics: Metrics;
  /** Who is let in. */
  readonly access: Access;
  /** Takes over the keys and roles of another configuration. Returns what has changed, for the log. */
  reload(next: AccessLists): Reloaded;
  /** Whether another server of the cluster takes this one's requests and workers. */
  hasSuccessor(): boolean;
  /** Reports by `/healthz` that another server should get the requests, sends workers to it, and goes on serving. */
  handOver(): void;
  /** Resolves when no request waits for a worker. */
  noneWaits(): Promise<void>;
  /** Stops accepting jobs and workers; resolves when the last job has ended. */
  drain(): Promise<void>;
  /** Ends the remaining sessions, streams and timers. */
  close(): void;
}
