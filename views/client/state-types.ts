// The types of the State API, copied from src/state: these modules cannot import the server's. A test compares the two.

export interface Sample {
  readonly at: number;
  readonly workers_idle: number;
  readonly workers_working: number;
  readonly workers_not_ready: number;
  readonly workers_draining: number;
  readonly slots_used: number;
  readonly slots_total: number;
  readonly waiting: number;
  readonly requests: number;
  readonly failures: number;
  readonly tokens: number;
  readonly prompt_tokens: number;
  readonly cached_tokens: number;
  readonly bytes: number;
  readonly first_byte_p50_ms: number | null;
  readonly first_byte_p95_ms: number | null;
}

export interface Problem {
  readonly code: string;
  readonly severity: "critical" | "warning" | "info";
  readonly plugin: string | null;
  readonly title: string;
  readonly advice: string;
  readonly since: string;
}

export interface PoolState {
  readonly plugin: string;
  readonly slots_used: number;
  readonly slots_total: number;
  readonly waiting: number;
  readonly queue_capacity: number;
}

export interface CallerState {
  readonly name: string;
  readonly end_user: string | null;
  readonly class: "interactive" | "normal" | "background" | null;
  readonly waiting: number;
  readonly running: number;
  readonly oldest_wait_ms: number | null;
  readonly share: number;
  readonly fair_share: number | null;
}

export interface ServerState {
  readonly id: string;
  readonly state: "ready" | "not_ready" | "draining";
  readonly version: string;
  readonly started_at: string;
  readonly uptime_s: number;
  readonly now: string;
  readonly viewers: number;
  readonly sample: Sample;
  readonly pools: readonly PoolState[];
  readonly problems: readonly Problem[];
}

export interface ServerRow {
  readonly id: string;
  readonly region: string | null;
  readonly version: string;
  readonly state: "alive" | "draining" | "suspect" | "gone" | "incompatible" | "unreachable";
  readonly since: string;
  readonly is_lost: boolean;
  readonly address: string | null;
  readonly link: "direct" | "bus" | "none" | null;
  readonly link_problem: { readonly address: string | null; readonly reason: string } | null;
  readonly rtt_ms: number | null;
  readonly gossip_age_ms: number | null;
  readonly clock_ahead_ms: number | null;
  readonly workers: number;
  readonly slots: number;
  readonly busy: number;
  readonly waiting: number;
  readonly problems: { readonly critical: number; readonly warning: number } | null;
  readonly sample: Sample | null;
  readonly pools: readonly PoolState[];
}

export interface ClusterState {
  readonly name: string;
  readonly id: string;
  readonly bus: {
    readonly state: "up" | "away";
    readonly since: string;
    readonly reason: string | null;
    readonly address: string | null;
    readonly records: boolean | null;
  };
  readonly peers_lost: number;
  readonly is_whole: boolean;
  readonly servers: readonly ServerRow[];
  readonly sample: Sample;
  readonly pools: readonly PoolState[];
}

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

/** Columns of the same length, oldest first. */
export interface HistoryAnswer {
  readonly interval_ms: number;
  readonly capacity: number;
  readonly samples: Readonly<Record<keyof Sample, readonly (number | null)[]>>;
}
