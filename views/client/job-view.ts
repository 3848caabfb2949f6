import type { JobDetail } from "../../src/plugin/details.ts";
import { bytes, count, duration, plural, time } from "./format.ts";
import { type JobRow, toJobRow } from "./job-rows.ts";
import type { ShownFact } from "./worker-view.ts";

// What the page of one job shows. All functions are pure.

/** A part of a job's time. */
interface JobStep {
  readonly label: string;
  readonly text: string;
  readonly tone: "waited" | "began" | "answered" | "whole";
  readonly ms: number;
}

export interface JobView extends JobRow {
  readonly name: string;
  readonly tone: string;
  /** Why it failed, in one sentence; empty for a job that did not. */
  readonly failure: string;
  readonly message: string;
  /** Why it has its worker. */
  readonly route: string;
  readonly steps: readonly JobStep[];
  /** The steps that add up to the whole, for a bar. */
  readonly parts: readonly JobStep[];
  readonly facts: readonly ShownFact[];
  readonly attempts: JobDetail["attempts"];
}

const FAILURES: Readonly<Record<string, string>> = {
  rejected: "This server refused it.",
  timeout: "The worker or its model server was silent for too long.",
  backend: "The model server failed.",
  lost: "Its worker was lost.",
};

export function toJobView(job: JobDetail): JobView {
  const row = toJobRow(job);
  const name = `${job.kind ?? "job"} of ${job.model}`;
  const isFailed = job.status === "failed";
  const steps = stepsOf(job);
  return {
    ...row,
    name,
    tone: job.status,
    failure: isFailed ? (FAILURES[job.cause ?? ""] ?? "It failed.") : "",
    message: isFailed ? [job.reason, job.message].filter(Boolean).join(": ") : "",
    route: job.route === null ? "" : `chosen: ${job.route.replaceAll("_", " ")}`,
    steps,
    parts: steps.filter(({ tone, ms }) => tone !== "whole" && ms > 0),
    facts: factsOf(job),
    attempts: job.attempts,
  };
}

/** Returns the times of a job: in the queue, until the first byte, from then on, and all of it. */
function stepsOf(job: JobDetail): readonly JobStep[] {
  const { waiting_ms: waited, running_ms: ran, first_byte_ms: first } = job;
  const whole = waited + ran;
  const began = first === null ? (job.ended_at === null ? ran : 0) : Math.max(0, first - waited);
  const answered = first === null ? 0 : Math.max(0, whole - first);
  const step = (label: string, tone: JobStep["tone"], ms: number, text = duration(ms)): JobStep => ({
    label,
    tone,
    ms,
    text,
  });
  return [
    step("Queued", "waited", waited),
    ...(job.status === "waiting"
      ? []
      : [
          step("To the first byte", "began", began, first === null && job.ended_at !== null ? "–" : duration(began)),
          step("Answer", "answered", answered, first === null ? "–" : duration(answered)),
        ]),
    step(job.ended_at === null ? "So far" : "Whole", "whole", whole),
  ];
}

function factsOf(job: JobDetail): readonly ShownFact[] {
  const { input_tokens: input, cached_tokens: cached, output_tokens: output } = job;
  const streamedMs = job.first_byte_ms === null ? 0 : job.waiting_ms + job.running_ms - job.first_byte_ms;
  const speed = output !== null && output > 1 && streamedMs > 100 ? (output / streamedMs) * 1000 : null;
  const facts: readonly (readonly [string, string])[] = [
    ["Class", job.class ?? ""],
    ["User", job.end_user ?? ""],
    ["Key", job.key === job.caller ? "" : job.key],
    ["Accepted", time(job.accepted_at)],
    ["Ended", job.ended_at === null ? "" : time(job.ended_at)],
    ["HTTP status", job.http_status === null ? "" : String(job.http_status)],
    [
      "Prompt tokens",
      input === null
        ? ""
        : `${count(input)}${cached === null || cached === 0 ? "" : `, ${count(cached)} of them cached`}`,
    ],
    [
      "Output tokens",
      output === null
        ? ""
        : `${count(output)}${job.estimated ? " (estimated)" : ""}${speed === null ? "" : `, ${count(speed)}/s`}`,
    ],
    ["Audio", job.audio_seconds === null || job.audio_seconds === 0 ? "" : duration(job.audio_seconds * 1000)],
    ["Sent", job.bytes_out === 0 ? "" : bytes(job.bytes_out)],
    ["Turned down", job.refusals === 0 ? "" : `${plural(job.refusals, "time")} by workers without a free slot`],
    ["Server", job.server ?? ""],
  ];
  return facts.filter(([, text]) => text !== "").map(([label, text]) => ({ label, text }));
}
