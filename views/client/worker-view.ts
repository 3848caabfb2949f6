import type { JobDetail, WorkerDetail } from "../../src/plugin/details.ts";
import { count, duration, plural, system } from "./format.ts";
import { type Graph, graphOf } from "./graph.ts";
import { toJobRow } from "./job-rows.ts";
import type { Row } from "./listing.ts";
import type { RelayState, WorkerState } from "./plugin-lists.ts";
import { toRelayRow, toWorkerRow, type WorkerRow } from "./worker-rows.ts";

// What the page of one worker shows. All functions are pure.

/** A fact with its name. */
export interface ShownFact {
  readonly label: string;
  readonly text: string;
}

export interface WorkerView extends WorkerRow {
  readonly connected: boolean;
  readonly server: string;
  /** When and why it left; empty while it is connected. */
  readonly gone_at: string;
  readonly gone_why: string;
  readonly facts: readonly ShownFact[];
  readonly served: readonly Row[];
  readonly restriction: WorkerDetail["restriction"];
  readonly sessions: WorkerDetail["sessions"];
  readonly errors: WorkerDetail["errors"];
  readonly jobs: readonly Row[];
  readonly graphs: readonly Graph[];
}

/** Describes a worker. `live` is its newest state, where this page receives it: it is newer than the answer about it. */
export function toWorkerView(
  detail: WorkerDetail,
  kind: string,
  live: WorkerState | RelayState | undefined,
): WorkerView {
  const state = live ?? (detail.worker as unknown as WorkerState | RelayState); // as the plugin lists it
  const isRelay = "calls_inflight" in state;
  const row = isRelay ? toRelayRow(state, detail.plugin, kind) : toWorkerRow(state, detail.plugin, kind);
  const isConnected = live !== undefined || detail.connected;
  const [last] = detail.sessions;
  return {
    ...row,
    ...(isConnected ? {} : { status: "gone", tone: "not_ready" as const, why: "" }),
    connected: isConnected,
    server: detail.server ?? "",
    gone_at: isConnected ? "" : (last?.gone_at ?? ""),
    gone_why: isConnected ? "" : (last?.reason ?? ""),
    facts: isRelay ? relayFacts(state) : workerFacts(state),
    served: isRelay ? [] : servedModels(state),
    restriction: detail.restriction,
    sessions: detail.sessions,
    errors: detail.errors,
    jobs: detail.jobs.map((job: JobDetail) => toJobRow(job)),
    graphs: graphOf(detail.history),
  };
}

function workerFacts(worker: WorkerState): readonly ShownFact[] {
  const { host_info: host, tenants, embedding_batch_size: batch } = worker;
  const cpu = host["cpu_percent"];
  const ram = host["ram_used_percent"];
  return pairs([
    [
      "Host",
      host["hostname"]
        ? [host["hostname"], system(host)].filter((each, at, all) => all.indexOf(each) === at).join(", ")
        : system(host),
    ],
    ["CPU and memory", cpu === null || cpu === undefined ? "" : `${cpu} % and ${ram ?? "–"} %`],
    ["Version", worker.version ?? ""],
    ["Protocol", worker.dialect === "legacy" ? "of the predecessor" : ""],
    ["Embeddings at a time", batch === null ? "" : String(batch)],
    ["Only for tenants", tenants?.join(", ") ?? ""],
    ["Served", servedText(worker)],
    ["Output tokens", worker.output_tokens_total > 0 ? count(worker.output_tokens_total) : ""],
    ["Audio", worker.audio_seconds_total > 0 ? duration(worker.audio_seconds_total * 1000) : ""],
    ["Not allowed by its key", worker.refused_models.join(", ")],
  ]);
}

function servedText({ processed_total: served, avg_processing_ms: ms }: WorkerState): string {
  return served === 0 ? "no requests yet" : `${plural(served, "request")}, ${duration(ms)} on average`;
}

function relayFacts(relay: RelayState): readonly ShownFact[] {
  return pairs([
    ["MCP server", relay.upstream ?? ""],
    ["Access", relay.auth === null ? "" : relay.auth === "none" ? "no token required" : relay.auth],
    ["Version", relay.version ?? ""],
    ["Protocol", relay.dialect === "legacy" ? "of the predecessor" : ""],
    ["Open streams", String(relay.streams_open)],
    ["Sessions", `${relay.sessions} open, ${count(relay.sessions_opened_total)} in total`],
    ["Served", plural(relay.served_total, "call")],
  ]);
}

function pairs(all: readonly (readonly [label: string, text: string])[]): readonly ShownFact[] {
  return all.filter(([, text]) => text !== "" && text !== "–").map(([label, text]) => ({ label, text }));
}

/** The models of a worker with what is known of each. */
function servedModels(worker: WorkerState): readonly Row[] {
  const out = worker.ejections.find(({ model }) => model === null);
  return worker.models.map((model) => {
    const speed = worker.speeds.find((each) => each.model === model);
    const ejection = worker.ejections.find((each) => each.model === model) ?? out;
    return {
      model,
      loaded: worker.loaded === null ? null : worker.loaded.includes(model),
      prefill: speed?.prefill_tokens_per_s ?? null,
      decode: speed?.decode_tokens_per_s ?? null,
      out_why: ejection?.reason ?? "",
      out_until: ejection?.until ?? "",
      is_cold: worker.affinity_off.some((each) => each.model === model),
    };
  });
}
