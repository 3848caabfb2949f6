import type { PluginLists, RelayState, WorkerState } from "./plugin-lists.ts";
import type { PluginState } from "./state-types.ts";

// The workers of all plugins as rows of one table. All functions are pure.

/** What a worker does now, in words, and the class of its badge. */
export interface WorkerCondition {
  readonly word: string;
  readonly tone: "idle" | "working" | "draining" | "not_ready" | "critical";
  /** Why, where there is a reason. */
  readonly why: string;
}

/** A row of the table of workers. */
export interface WorkerRow extends Record<string, unknown> {
  /** Different for any two workers, also for those of two plugins with one id. */
  readonly key: string;
  readonly id: string;
  readonly name: string;
  readonly plugin: string;
  /** The plugin's word for its workers. */
  readonly kind: string;
  readonly status: string;
  readonly tone: WorkerCondition["tone"];
  readonly why: string;
  /** Jobs or calls that it has now. */
  readonly used: number;
  /** The jobs that it takes at a time; null for a relay, which has no limit. */
  readonly slots: number | null;
  /** The part of its slots in use, from 0 to 1, by which the column is sorted. */
  readonly load: number;
  readonly models: readonly string[];
  /** What it offers: its models, or the kind of MCP server. */
  readonly offers: string;
  readonly tokens_per_s: number | null;
  readonly done: number;
  readonly failed: number;
  readonly last_error: string | null;
  /** In milliseconds since 1970; null if the time is not known. */
  readonly last_error_at: number | null;
  readonly connected_at: string;
  readonly is_drained: boolean;
}

/** Lists the workers of all plugins. `kinds` has the plugins' words for their workers, by the plugins' ids. */
export function toWorkerRows(
  plugins: Readonly<Record<string, PluginState>>,
  kinds: Readonly<Record<string, string>>,
): readonly WorkerRow[] {
  return Object.entries(plugins).flatMap(([plugin, state]) => {
    const { workers = [], relays = [] } = state as PluginLists; // the server's own
    const kind = kinds[plugin] ?? plugin;
    return [
      ...workers.map((worker) => toWorkerRow(worker, plugin, kind)),
      ...relays.map((relay) => toRelayRow(relay, plugin, kind)),
    ];
  });
}

/** A worker of models. */
export function toWorkerRow(worker: WorkerState, plugin: string, kind: string): WorkerRow {
  const { word, tone, why } = conditionOf(worker);
  const { id, inflight, max_concurrency: slots, models } = worker;
  return {
    key: `${plugin} ${id}`,
    id,
    name: worker.name,
    plugin,
    kind,
    status: word,
    tone,
    why,
    used: inflight,
    slots,
    load: slots === 0 ? 0 : inflight / slots,
    models,
    offers: models.length > 1 ? `${models[0]} +${models.length - 1}` : (models[0] ?? "none"),
    tokens_per_s: worker.tokens_per_s,
    done: worker.processed_total,
    failed: worker.failures_total,
    last_error: worker.last_error,
    last_error_at: timeOf(worker.last_error_at),
    connected_at: worker.connected_at,
    is_drained: worker.operator_drained,
    version: worker.version,
    host: worker.host_info["hostname"] ?? null,
  };
}

/** A relay of an MCP server. */
export function toRelayRow(relay: RelayState, plugin: string, kind: string): WorkerRow {
  const { word, tone, why } = relayCondition(relay);
  return {
    key: `${plugin} ${relay.id}`,
    id: relay.id,
    name: relay.name,
    plugin,
    kind,
    status: word,
    tone,
    why,
    used: relay.calls_inflight,
    slots: null,
    load: relay.calls_inflight,
    models: [],
    offers: relay.upstream ?? relay.dialect,
    tokens_per_s: null,
    done: relay.served_total,
    failed: relay.failures_total,
    last_error: relay.last_error,
    last_error_at: timeOf(relay.last_error_at),
    connected_at: relay.connected_at,
    is_drained: relay.operator_drained,
    version: relay.version,
    host: null,
  };
}

/** A worker's condition in one word: what an operator would ask about first comes first. */
export function conditionOf(worker: WorkerState): WorkerCondition {
  const { ejections, status } = worker;
  const why = worker.status_reason ?? "";
  if (worker.operator_drained) return { word: "drained", tone: "draining", why: "An operator has drained it." };
  const out = ejections.find(({ model }) => model === null) ?? ejections[0];
  if (out?.model === null) return { word: "out", tone: "critical", why: out.reason };
  if (status === "not_ready") return { word: "not ready", tone: "not_ready", why };
  if (out) return { word: "partly out", tone: "critical", why: `${out.model}: ${out.reason}` };
  return { word: status, tone: status, why };
}

function relayCondition(relay: RelayState): WorkerCondition {
  const why = relay.status_reason ?? "";
  if (relay.operator_drained) return { word: "drained", tone: "draining", why: "An operator has drained it." };
  if (relay.status === "broken") return { word: "broken", tone: "critical", why };
  return relay.calls_inflight > 0 ? { word: "working", tone: "working", why } : { word: "idle", tone: "idle", why };
}

/** How long the error of a worker stays in the table, in milliseconds. */
const ERROR_SHOWN_MS = 60 * 60_000;
/** How long it counts as new. */
const ERROR_NEW_MS = 5 * 60_000;

/** How an error of a worker is shown: `new`, `old`, or not at all any more. One without a time is old. */
export function freshness(row: WorkerRow, now: number): "new" | "old" | "gone" {
  if (row.last_error === null) return "gone";
  if (row.last_error_at === null) return "old";
  const age = now - row.last_error_at;
  return age < ERROR_NEW_MS ? "new" : age < ERROR_SHOWN_MS ? "old" : "gone";
}

function timeOf(text: string | null | undefined): number | null {
  return text === null || text === undefined ? null : Date.parse(text);
}
