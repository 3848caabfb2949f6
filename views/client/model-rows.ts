import type { ModelState, PluginLists } from "./plugin-lists.ts";
import type { PluginState } from "./state-types.ts";

// The models of all plugins as rows of one table. All functions are pure.

/** A row of the table of models. */
export interface ModelRow extends Record<string, unknown> {
  readonly key: string;
  readonly name: string;
  readonly plugin: string;
  /** What it is for: `chat`, `embedding`; where its workers do not say, the plugin's word, if there is one. */
  readonly type: string;
  /** Whether it can be used now, in words. */
  readonly status: string;
  /** The same without figures, for the filter. */
  readonly state: string;
  readonly tone: "idle" | "working" | "waiting" | "critical" | "not_ready";
  readonly context: number | null;
  readonly workers: number;
  readonly loaded: number | null;
  readonly out: number;
  readonly used: number;
  readonly slots: number;
  readonly load: number;
  readonly running: number;
  readonly waiting: number;
  readonly waiting_by: ModelState["waiting_by"];
  readonly requests: number;
  /** Failures and their part of the requests, from 0 to 1; null where the state does not say. */
  readonly errors: number | null;
  readonly error_share: number | null;
  readonly first_byte_p50_ms: number | null;
  readonly first_byte_p95_ms: number | null;
  readonly tokens_per_s: number;
  readonly decode: number | null;
}

export function toModelRows(
  plugins: Readonly<Record<string, PluginState>>,
  kinds: Readonly<Record<string, string>>,
): readonly ModelRow[] {
  return Object.entries(plugins).flatMap(([plugin, state]) => {
    const { models = [] } = state as PluginLists; // the server's own
    return models.map((model) => toModelRow(model, plugin, kinds[plugin] ?? ""));
  });
}

function toModelRow(model: ModelState, plugin: string, kind: string): ModelRow {
  const { slots_total: slots, slots_free: free } = model;
  const errors = model.failures_total ?? null;
  return Object.freeze({
    key: `${plugin} ${model.name}`,
    name: model.name,
    plugin,
    type: model.type ?? kind,
    ...statusOf(model),
    context: model.context_length,
    workers: model.workers,
    loaded: model.loaded,
    out: model.out,
    used: slots - free,
    slots,
    load: slots === 0 ? 0 : (slots - free) / slots,
    running: model.inflight,
    waiting: model.waiting,
    waiting_by: model.waiting_by,
    requests: model.requests_total,
    errors,
    error_share: errors === null || model.requests_total === 0 ? null : errors / model.requests_total,
    first_byte_p50_ms: model.first_byte_p50_ms ?? null,
    first_byte_p95_ms: model.first_byte_p95_ms ?? null,
    tokens_per_s: model.tokens_per_s,
    decode: model.decode_tokens_per_s,
  });
}

/** Answers "can I use it now?". */
export function statusOf(
  model: Pick<ModelState, "workers" | "out" | "slots_total" | "slots_free" | "waiting">,
): Pick<ModelRow, "status" | "state" | "tone"> {
  const { workers, out, slots_total: slots, slots_free: free, waiting } = model;
  const as = (state: string, tone: ModelRow["tone"], status = state) => ({ status, state, tone });
  if (workers === 0) return as("not served", "not_ready");
  if (out >= workers) return as("all workers out", "critical");
  if (slots === 0) return as("not ready", "not_ready");
  if (waiting > 0) return as("queue", "waiting", `${waiting} waiting`);
  return free === 0 ? as("all busy", "waiting") : as("free", "idle");
}
