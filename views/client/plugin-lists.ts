// What the pages read of the lists in the plugins' states. The server's own types would bring the server's code along.

type HostInfo = Readonly<Record<string, string | number | null>>;

interface Ejection {
  readonly model: string | null;
  readonly reason: string;
  readonly until: string;
}

/** A row of `workers`: `WorkerState` of src/models/worker-state.ts. */
export interface WorkerState {
  readonly id: string;
  readonly name: string;
  readonly status: "idle" | "working" | "not_ready" | "draining";
  readonly status_reason: string | null;
  readonly operator_drained: boolean;
  readonly dialect: string;
  readonly version: string | null;
  readonly host_info: HostInfo;
  readonly models: readonly string[];
  readonly refused_models: readonly string[];
  readonly tenants: readonly string[] | null;
  readonly loaded: readonly string[] | null;
  readonly speeds: readonly {
    readonly model: string;
    readonly prefill_tokens_per_s: number | null;
    readonly decode_tokens_per_s: number | null;
  }[];
  readonly ejections: readonly Ejection[];
  readonly affinity_off: readonly { readonly model: string }[];
  readonly connected_at: string;
  readonly max_concurrency: number;
  readonly embedding_batch_size: number | null;
  readonly inflight: number;
  readonly processed_total: number;
  readonly failures_total: number;
  readonly avg_processing_ms: number;
  readonly tokens_per_s: number | null;
  readonly output_tokens_total: number;
  readonly audio_seconds_total: number;
  readonly last_error: string | null;
  readonly last_error_at?: string | null;
}

/** A row of `relays`: `RelayState` of src/plugins/mcp/mcp-state.ts. */
export interface RelayState {
  readonly id: string;
  readonly name: string;
  readonly status: "ready" | "broken";
  readonly status_reason: string | null;
  readonly operator_drained: boolean;
  readonly dialect: string;
  readonly version: string | null;
  readonly upstream: string | null;
  readonly auth: string | null;
  readonly connected_at: string;
  readonly calls_inflight: number;
  readonly streams_open: number;
  readonly sessions: number;
  readonly sessions_opened_total: number;
  readonly served_total: number;
  readonly failures_total: number;
  readonly last_error: string | null;
  readonly last_error_at: string | null;
}

/** A row of `models`: `ModelState` of src/models/model-state.ts. */
export interface ModelState {
  readonly name: string;
  readonly type: string | null;
  readonly context_length: number | null;
  readonly workers: number;
  readonly loaded: number | null;
  readonly out: number;
  readonly slots_free: number;
  readonly slots_total: number;
  readonly inflight: number;
  readonly waiting: number;
  readonly waiting_by: readonly { readonly caller: string; readonly waiting: number }[];
  readonly requests_total: number;
  readonly failures_total?: number;
  readonly first_byte_p50_ms?: number | null;
  readonly first_byte_p95_ms?: number | null;
  readonly tokens_per_s: number;
  readonly decode_tokens_per_s: number | null;
}

/** A row of `jobs`: `JobState` of src/models/job-state.ts. */
export interface JobState {
  readonly id: string;
  readonly request_id: string;
  readonly kind: string;
  readonly model: string;
  readonly worker: string | null;
  readonly worker_name?: string | null;
  readonly server?: string;
  readonly caller: string;
  readonly end_user: string | null;
  readonly status: "waiting" | "running" | "streaming";
  readonly position: number | null;
  readonly started_at: string;
  readonly waiting_ms: number;
  readonly running_ms: number;
  readonly first_byte_ms?: number | null;
  readonly output_tokens?: number | null;
}

/** The lists of a plugin's state; a plugin has those that it needs. */
export interface PluginLists {
  readonly workers?: readonly WorkerState[];
  readonly relays?: readonly RelayState[];
  readonly models?: readonly ModelState[];
  readonly jobs?: readonly JobState[];
}
