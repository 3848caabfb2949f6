import { percent, plural } from "./format.ts";
import type { ServerState } from "./state-types.ts";

/** The pool's condition in one sentence, and its cause in another. */
export interface Verdict {
  readonly tone: "good" | "busy" | "bad";
  readonly title: string;
  readonly detail: string;
}

/** The share of used slots from which a pool counts as nearly full. */
const NEARLY_FULL_PERCENT = 85;

/** Sums up the server's condition. The worst comes first: problems, then waiting jobs, then few free slots. */
export function verdictOf({ state, sample, problems }: ServerState): Verdict {
  if (state === "draining") {
    return {
      tone: "busy",
      title: "The server is shutting down.",
      detail: `${plural(sample.slots_used, "job")} still running; new jobs are refused.`,
    };
  }
  const critical = problems.find(({ severity }) => severity === "critical");
  if (critical) return { tone: "bad", title: critical.title, detail: critical.advice };
  const { slots_used: used, slots_total: total, waiting } = sample;
  const load = `${used} of ${plural(total, "slot")} in use`;
  const workers = sample.workers_idle + sample.workers_working + sample.workers_not_ready + sample.workers_draining;
  if (total === 0 && workers > 0) {
    return {
      tone: "busy",
      title: workers === 1 ? "The only worker accepts no jobs." : "No worker accepts jobs.",
      detail: `${plural(waiting, "job waiting", "jobs waiting")}; each plugin's page shows which workers are drained or not ready.`,
    };
  }
  if (waiting > 0) {
    const isFull = used >= total && total > 0;
    return {
      tone: "busy",
      title: isFull ? "The workers are the bottleneck." : "Some jobs are waiting for a model whose workers are busy.",
      detail: `${plural(waiting, "job waiting", "jobs waiting")}; ${load}. ${isFull ? "More workers or slots would help." : "The Models page shows which."}`,
    };
  }
  const warning = problems.find(({ severity }) => severity === "warning");
  if (warning) return { tone: "busy", title: warning.title, detail: warning.advice };
  if (total === 0) return { tone: "good", title: "The server is up.", detail: "No jobs are running or waiting." };
  if (percent(used, total) >= NEARLY_FULL_PERCENT) {
    return { tone: "busy", title: "The pool is nearly full.", detail: `${load}; no jobs waiting yet.` };
  }
  return { tone: "good", title: "All systems normal.", detail: `${load}; no jobs waiting.` };
}
