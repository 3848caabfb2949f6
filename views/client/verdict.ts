import { percent, plural } from "./format.ts";
import type { ServerState } from "./state-types.ts";

/** The pool in one sentence, and what holds it back in another. */
export interface Verdict {
  readonly tone: "good" | "busy" | "bad";
  readonly title: string;
  readonly detail: string;
}

/** From this part of the slots on a pool is nearly full: one more burst makes jobs wait. */
const NEARLY_FULL_PERCENT = 85;

/** What somebody wants to know who has ten seconds. The worst comes first: problems, then waiting jobs, then little room. */
export function verdictOf({ state, sample, problems }: ServerState): Verdict {
  if (state === "draining") {
    return {
      tone: "busy",
      title: "The server is shutting down.",
      detail: `${plural(sample.slots_used, "job")} still running; nothing new is taken.`,
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
      title: workers === 1 ? "The one worker takes no jobs." : "None of the workers takes jobs.",
      detail: `${plural(waiting, "job waits", "jobs wait")}; drained or not ready: see which under each plugin.`,
    };
  }
  if (waiting > 0) {
    const isFull = used >= total && total > 0;
    return {
      tone: "busy",
      title: isFull ? "The workers are the bottleneck." : "Some jobs wait for a model whose workers are busy.",
      detail: `${plural(waiting, "job waits", "jobs wait")}; ${load}. ${isFull ? "More workers or slots would help." : "See which under Models."}`,
    };
  }
  const warning = problems.find(({ severity }) => severity === "warning");
  if (warning) return { tone: "busy", title: warning.title, detail: warning.advice };
  if (total === 0) return { tone: "good", title: "The server is up.", detail: "Nothing runs, and nobody waits." };
  if (percent(used, total) >= NEARLY_FULL_PERCENT) {
    return { tone: "busy", title: "The pool is nearly full.", detail: `${load}; nobody waits yet.` };
  }
  return { tone: "good", title: "The pool is well.", detail: `${load}; nobody waits.` };
}
