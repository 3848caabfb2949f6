import type { JobDetail } from "../../src/plugin/details.ts";
import { count } from "./format.ts";
import type { Row } from "./listing.ts";
import type { JobState, PluginLists } from "./plugin-lists.ts";
import type { PluginState } from "./state-types.ts";

// Jobs as rows of one table, whether they wait, run or have ended. All functions are pure.

/** A row of the table of jobs. */
export interface JobRow extends Record<string, unknown> {
  readonly key: string;
  /** The id of its page and of its cancelation. */
  readonly id: string;
  readonly request_id: string;
  readonly plugin: string;
  readonly kind: string;
  readonly model: string;
  /** The id of the worker; empty for a job that none has or had. */
  readonly worker: string;
  readonly worker_name: string;
  /** The server of the worker, where it is another one. */
  readonly worker_server: string;
  readonly caller: string;
  readonly end_user: string;
  readonly status: string;
  /** What is beside the status: the place in the queue, or why it failed. */
  readonly why: string;
  /** The parts of the list that show it: `now`, `failed`, `ended`. */
  readonly shows: readonly string[];
  readonly is_live: boolean;
  readonly waiting_ms: number;
  readonly first_byte_ms: number | null;
  readonly running_ms: number | null;
  /** For the order: what runs or waits is newer than all that has ended. */
  readonly order: number;
  /** When it ended, or was accepted, in milliseconds since 1970. */
  readonly at: number;
  readonly tokens: number | null;
  readonly tokens_text: string;
}

/** Later than any time, for what has not ended. */
const LATER = 1e15;

/** Lists the running and waiting jobs of all plugins. `names` has the names of workers by their ids. */
export function toLiveJobs(
  plugins: Readonly<Record<string, PluginState>>,
  names: ReadonlyMap<string, string>,
): readonly JobRow[] {
  return Object.entries(plugins).flatMap(([plugin, state]) => {
    const { jobs = [] } = state as PluginLists; // the server's own
    return jobs.map((job) => toLiveJob(job, plugin, names));
  });
}

function toLiveJob(job: JobState, plugin: string, names: ReadonlyMap<string, string>): JobRow {
  const worker = job.worker ?? "";
  const at = Date.parse(job.started_at);
  const tokens = job.output_tokens ?? null;
  return Object.freeze({
    key: job.id,
    id: job.id,
    request_id: job.request_id,
    plugin,
    kind: job.kind,
    model: job.model,
    worker,
    worker_name: job.worker_name ?? names.get(worker) ?? worker,
    worker_server: job.server ?? "",
    caller: job.caller,
    end_user: job.end_user ?? "",
    status: job.status,
    why: job.position === null ? "" : `place ${job.position}`,
    shows: ["now"],
    is_live: true,
    waiting_ms: job.waiting_ms,
    first_byte_ms: job.first_byte_ms ?? null,
    running_ms: job.status === "waiting" ? null : job.running_ms,
    order: LATER + at,
    at,
    tokens,
    tokens_text: tokens === null ? "–" : count(tokens),
  });
}

/** Makes a row of an entry of `GET /api/state/jobs`. */
export function toEndedJob(entry: Row, names: ReadonlyMap<string, string>): JobRow {
  const text = (name: string): string => (typeof entry[name] === "string" ? String(entry[name]) : "");
  const number = (name: string): number | null => (typeof entry[name] === "number" ? Number(entry[name]) : null);
  const worker = text("worker");
  const outcome = text("outcome");
  const status = number("status");
  const at = Date.parse(text("ended_at"));
  return Object.freeze({
    key: `${text("id")} ${at}`,
    id: text("job_id") || text("id"),
    request_id: text("id"),
    plugin: text("plugin"),
    kind: text("kind"),
    model: text("model"),
    worker,
    worker_name: text("worker_name") || (names.get(worker) ?? worker),
    worker_server: text("worker_server"),
    caller: text("caller"),
    end_user: text("end_user"),
    status: outcome,
    why: text("reason") || (status !== null && status >= 400 ? `status ${status}` : ""),
    shows: outcome === "failed" ? ["ended", "failed"] : ["ended"],
    is_live: false,
    waiting_ms: number("wait_ms") ?? 0,
    first_byte_ms: number("first_byte_ms"),
    running_ms: number("held_ms"),
    order: at,
    at,
    tokens: number("output_tokens"),
    tokens_text: tokensText(number("input_tokens"), number("output_tokens"), number("audio_seconds")),
  });
}

/** Makes a row of what the server says of one job. */
export function toJobRow(job: JobDetail): JobRow {
  const isLive = job.ended_at === null;
  const at = Date.parse(job.ended_at ?? job.accepted_at);
  return Object.freeze({
    key: `${job.id ?? job.request_id} ${at}`,
    id: job.id ?? job.request_id,
    request_id: job.request_id,
    plugin: job.plugin,
    kind: job.kind ?? "",
    model: job.model,
    worker: job.worker?.id ?? "",
    worker_name: job.worker?.name ?? "",
    worker_server: job.worker?.server ?? "",
    caller: job.caller,
    end_user: job.end_user ?? "",
    status: job.status,
    why: job.position === null ? (job.reason ?? "") : `place ${job.position}`,
    shows: isLive ? ["now"] : job.status === "failed" ? ["ended", "failed"] : ["ended"],
    is_live: isLive,
    waiting_ms: job.waiting_ms,
    first_byte_ms: job.first_byte_ms,
    running_ms: job.status === "waiting" ? null : job.running_ms,
    order: isLive ? LATER + at : at,
    at,
    tokens: job.output_tokens,
    tokens_text: tokensText(job.input_tokens, job.output_tokens, job.audio_seconds),
  });
}

/** `12 in, 340 out`, or the length of audio. */
export function tokensText(input: number | null, output: number | null, audioS: number | null): string {
  const parts = [
    input === null ? [] : `${count(input)} in`,
    output === null ? [] : `${count(output)} out`,
    audioS === null || audioS === 0 ? [] : `${Math.round(audioS)} s audio`,
  ].flat();
  return parts.join(", ") || "–";
}
