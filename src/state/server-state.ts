import type { Sample } from "./history.ts";
import type { PoolState } from "./overview-totals.ts";
import type { Problem } from "./problems.ts";

/** The server as a whole, in the State API. Times are RFC 3339. */
export interface ServerState {
  /** `ready` while at least one worker accepts requests. */
  readonly state: "ready" | "not_ready" | "draining";
  /** `SERVER_ID`. */
  readonly id: string;
  readonly version: string;
  readonly started_at: string;
  readonly uptime_s: number;
  /** The time by this server's clock. */
  readonly now: string;
  /** Open streams of the state. */
  readonly viewers: number;
  /** The last whole second. */
  readonly sample: Sample;
  /** The pools of workers, of which one may be full while others are idle. */
  readonly pools: readonly PoolState[];
  /** Worst first. */
  readonly problems: readonly Problem[];
}
