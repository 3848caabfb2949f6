import type { CreateQueuePolicy } from "./queue-policy.ts";
import type { ReasonsOptions } from "./reasons.ts";
import type { Remotes } from "./remotes.ts";
import type { HealthEvent } from "./routing/health-watch.ts";
import type { RoutePolicy } from "./routing/route-policy.ts";

/** What a pool is made with. */
export interface PoolOptions extends ReasonsOptions {
  readonly queueTimeoutMs: number;
  readonly modelGraceMs: number;
  /** The beginning of the pool's job ids, which identifies this server. */
  readonly serverId: string;
  /** Distinguishes the pools of one server. */
  readonly name: string;
  /** Whether an operator has taken a worker that connects out of service; none unless given. */
  readonly isDrained?: (workerId: string) => boolean;
  /** First come, first served, unless given. */
  readonly createPolicy?: CreateQueuePolicy;
  /** Least loaded, unless given. */
  readonly routePolicy?: RoutePolicy;
  /** The other servers of a cluster; none unless given. */
  readonly remotes?: Remotes | undefined;
  /** Called when a worker goes out because it failed too often, and when it comes back. */
  readonly onHealth?: (event: HealthEvent) => void;
}
