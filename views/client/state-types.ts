import type { ClusterState } from "../../src/state/cluster-state.ts";
import type { ServerState } from "../../src/state/server-state.ts";

/** Where the state of another server comes from. */
export interface Relayed {
  readonly by: string;
  readonly at: string | null;
  readonly stale_since: string | null;
}

export type PluginState = Readonly<Record<string, unknown>>;

export interface Envelope {
  /** Null until another server has sent its state. */
  readonly server: ServerState | null;
  /** Present in a cluster. */
  readonly cluster?: ClusterState;
  /** Present in the state of another server. */
  readonly relayed?: Relayed;
  readonly plugins: Readonly<Record<string, PluginState>>;
}
