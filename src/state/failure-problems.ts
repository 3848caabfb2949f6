import { ENOUGH_REQUESTS } from "../../views/client/enough-requests.ts";
import { type CauseCounts, FAILURE_CAUSES, type FailureCause } from "../plugin/failure-cause.ts";
import type { Found } from "./problems.ts";

const FAILURE_SHARE = { warning: 0.05, critical: 0.25 } as const;
/** Wrong keys per minute. A forgotten key causes a few, an attacker who guesses causes many. */
const MANY_AUTH_FAILURES = 20;

interface CauseWords {
  readonly title: string;
  readonly advice: string;
}

/** What is said of a cause that most failures have. */
const CAUSE_WORDS: Readonly<Record<FailureCause, CauseWords>> = {
  rejected: {
    title: "most of them because this server refused them: a queue was full, or no worker could take them in time",
    advice:
      "The workers that answer are not the cause. Add workers, let each take more requests at once (--max-concurrency), or raise QUEUE_SIZE and QUEUE_TIMEOUT.",
  },
  timeout: {
    title: "most of them because a worker sent nothing for too long",
    advice:
      "Look for the model whose first byte takes long: its model server is overloaded, loads a model, or hangs. The error of a job names the setting that limits the wait.",
  },
  backend: {
    title: "most of them because a model server failed or could not be reached",
    advice:
      "Open the workers with failures: their errors say what their model servers answered. Drain a worker that keeps failing.",
  },
  lost: {
    title: "most of them because their worker was lost",
    advice:
      "Look at the workers whose connections ended: they crash, are restarted, or lose their network. Each worker's page says why its connections ended.",
  },
  other: {
    title: "for several reasons",
    advice: "Look for workers with many failures and at their last error. The log gives the reason for each request.",
  },
};

/** Returns the cause that more than half of the failures have; `other` if there is none. */
function mainCause(causes: CauseCounts | undefined, failures: number): FailureCause {
  return FAILURE_CAUSES.find((cause) => (causes?.[cause] ?? 0) > failures / 2) ?? "other";
}

/** The failures of the last minute, over all plugins. */
export interface FailureFacts {
  readonly requests: number;
  readonly failures: number;
  /** The causes of these failures, as far as they are known. */
  readonly causes?: CauseCounts;
  /** Requests refused because of their credentials. */
  readonly authFailures: number;
}

/** Finds that too many requests fail, or are refused for their keys. */
export function findFailures({ requests, failures, causes, authFailures }: FailureFacts): readonly Found[] {
  const found: Found[] = [];
  const share = requests >= ENOUGH_REQUESTS ? failures / requests : 0;
  if (share > FAILURE_SHARE.warning) {
    const isCritical = share > FAILURE_SHARE.critical;
    const words = CAUSE_WORDS[mainCause(causes, failures)];
    found.push({
      plugin: null,
      code: "error_rate",
      severity: isCritical ? "critical" : "warning",
      title: `More than ${isCritical ? "a quarter" : "one in twenty"} of the last minute's requests failed, ${words.title}.`,
      advice: words.advice,
    });
  }
  if (authFailures >= MANY_AUTH_FAILURES) {
    found.push({
      plugin: null,
      code: "too_many_auth_failures",
      severity: "warning",
      title: "Many requests or workers were refused for their keys within the last minute.",
      advice:
        "A program has no key or an outdated one, or somebody is guessing keys. The log lines auth.failed and session.refused have the addresses.",
    });
  }
  return found;
}
