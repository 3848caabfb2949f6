import type { ModelDetail, ModelWorker } from "../../src/plugin/details.ts";
import { context, count, duration, percent, plural, rate, share } from "./format.ts";
import { type Graph, graphOf } from "./graph.ts";
import { toJobRow } from "./job-rows.ts";
import type { Row } from "./listing.ts";
import { type ModelRow, statusOf } from "./model-rows.ts";
import type { ShownFact } from "./worker-view.ts";

// What the page of one model shows. All functions are pure.

export interface ModelView extends Pick<ModelRow, "status" | "tone"> {
  readonly key: string;
  readonly name: string;
  readonly plugin: string;
  readonly used: number;
  readonly slots: number;
  /** What stands in the way of using it; empty for nothing. */
  readonly notice: string;
  readonly facts: readonly ShownFact[];
  readonly workers: readonly ModelWorker[];
  readonly workers_total: number;
  readonly more_workers: number;
  readonly jobs: readonly Row[];
  readonly errors: ModelDetail["errors"];
  /** The failures by cause, in words. */
  readonly causes: string;
  readonly graphs: readonly Graph[];
}

/** What is said of each cause of failures. */
const CAUSES: Readonly<Record<string, string>> = {
  rejected: "refused by this server",
  timeout: "timed out",
  backend: "failed in the model server",
  lost: "lost with their worker",
  other: "other",
};

export function toModelView(model: ModelDetail): ModelView {
  const { workers, totals, slots_total: slots, slots_free: free } = model;
  const out = workers.filter((worker) => worker.out).length;
  const { status, tone } = statusOf({
    workers: model.workers_total,
    out,
    slots_total: slots,
    slots_free: free,
    waiting: model.waiting,
  });
  return {
    key: `${model.plugin} ${model.id}`,
    name: model.id,
    plugin: model.plugin,
    status,
    tone,
    used: slots - free,
    slots,
    notice: noticeOf(model, out),
    facts: factsOf(model),
    workers,
    workers_total: model.workers_total,
    more_workers: model.workers_total - workers.length,
    jobs: model.jobs.map((job) => toJobRow(job)),
    errors: model.errors,
    causes: causesText(model, totals.failures),
    graphs: graphOf(model.history),
  };
}

function noticeOf({ workers_total: workers, waiting, oldest_waiting_ms: oldest }: ModelDetail, out: number): string {
  if (workers === 0) return "No worker serves this model now. What is below is of its last workers.";
  if (out >= workers) return "Every worker of it has failed too often, so requests go to them only as a test.";
  if (waiting > 0)
    return `${plural(waiting, "request")} wait for a free slot${oldest === null ? "" : `, the longest for ${duration(oldest)}`}.`;
  return "";
}

function factsOf(model: ModelDetail): readonly ShownFact[] {
  const { totals } = model;
  const input = model.input_modalities.join(", ");
  const output = model.output_modalities.join(", ");
  const facts: readonly (readonly [string, string])[] = [
    ["Kind", model.type ?? ""],
    [
      "Context",
      model.context_length === null
        ? ""
        : `${context(model.context_length)} tokens${
            model.max_context_length && model.max_context_length > model.context_length
              ? `, of ${context(model.max_context_length)} possible`
              : ""
          }`,
    ],
    ["Reads and writes", input === "" && output === "" ? "" : `${input || "–"} → ${output || "–"}`],
    ["Running and waiting", `${count(model.inflight)} and ${count(model.waiting)}`],
    ["Queue of all models", `${count(model.queue.waiting)} of ${count(model.queue.capacity)} places`],
    [
      "First byte",
      model.first_byte_p50_ms === null
        ? ""
        : `${duration(model.first_byte_p50_ms)} (median), ${duration(model.first_byte_p95_ms)} (p95)`,
    ],
    ["Output now", `${rate(model.tokens_per_s)} tokens/s`],
    ["Prompts from caches", model.cached_share === null ? "" : share(model.cached_share)],
    ["Requests", count(totals.requests)],
    [
      "Failed",
      totals.failures === 0 ? "none" : `${count(totals.failures)}, ${percent(totals.failures, totals.requests)} %`,
    ],
    [
      "Tokens",
      totals.input_tokens + totals.output_tokens === 0
        ? ""
        : `${count(totals.input_tokens)} in, ${count(totals.output_tokens)} out`,
    ],
    ["Audio", totals.audio_seconds === 0 ? "" : duration(totals.audio_seconds * 1000)],
  ];
  return facts.filter(([, text]) => text !== "").map(([label, text]) => ({ label, text }));
}

function causesText({ causes }: ModelDetail, failures: number): string {
  if (failures === 0) return "";
  const parts = Object.entries(causes).flatMap(([cause, number]) =>
    number === 0 ? [] : `${count(number)} ${CAUSES[cause] ?? cause}`,
  );
  return parts.length === 0 ? "" : `Since the server started: ${parts.join(", ")}.`;
}
