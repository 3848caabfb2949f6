/**
 * What a failure has to do with, which decides what can be done about it:
 * - `rejected`: the server refused the request, because a queue was full, a limit was reached or no worker could take it.
 * - `timeout`: a worker or its backend was silent for too long.
 * - `backend`: the backend of a worker failed, or could not be reached.
 * - `lost`: the worker was lost while it had the request.
 * - `other`: everything else.
 */
export type FailureCause = (typeof FAILURE_CAUSES)[number];

export const FAILURE_CAUSES = ["rejected", "timeout", "backend", "lost", "other"] as const;

/** How many failures had each cause. */
export type CauseCounts = Readonly<Record<FailureCause, number>>;

export const NO_CAUSES: CauseCounts = { rejected: 0, timeout: 0, backend: 0, lost: 0, other: 0 };

/** The reasons of attempts and the codes of errors whose cause is known. All others count as `other`. */
const CAUSES: ReadonlyMap<string, FailureCause> = new Map(
  Object.entries({
    rejected: [
      "queue_full",
      "queue_timeout",
      "no_worker_available",
      "too_many_requests",
      "too_many_connections",
      "too_many_calls",
      "rate_limit_exceeded",
      "insufficient_quota",
      "relay_unavailable",
      "spool_unavailable",
      "draining",
    ],
    timeout: ["upstream_timeout", "timeout", "silent"],
    backend: ["upstream_error", "upstream_unreachable"],
    lost: ["worker_lost", "lost"],
    // The entries' keys are causes, as the next line says.
  } satisfies Partial<Record<FailureCause, readonly string[]>>).flatMap(([cause, reasons]) =>
    reasons.map((reason) => [reason, cause as FailureCause] as const),
  ),
);

/** Returns the cause of a failure, from the code of its error or from the reason of an attempt: `status 500`, `lost`. */
export function causeOf(reason: string): FailureCause {
  return CAUSES.get(reason) ?? (/^status 5\d\d$/.test(reason) ? "backend" : "other");
}
