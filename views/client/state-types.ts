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

export type PluginState = Readonly<Record<string, unknown>>;

export interface Envelope {
  readonly server: ServerState;
  readonly plugins: Readonly<Record<string, PluginState>>;
}

/** Columns of the same length, oldest first. */
export interface HistoryAnswer {
  readonly interval_ms: number;
  readonly capacity: number;
  readonly samples: Readonly<Record<keyof Sample, readonly (number | null)[]>>;
}
