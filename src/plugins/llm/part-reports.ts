import type { Usage } from "../../figures/units.ts";
import { nameWorkers } from "../../http/headers.ts";
import type { ClaimedWorker } from "../../pool/claim.ts";
import type { JobEnd, JobReport } from "../../pool/job-spec.ts";
import type { Route } from "../../pool/routing/route.ts";

/** One request for embeddings as it is counted: the sum of the jobs that served its parts. */
export interface JoinedReport {
  readonly report: JobReport;
  readonly usage: Usage | undefined;
  /** The jobs that a worker had. */
  readonly parts: number;
}

const PARTS: Route = { reason: "parts" };

/** Gathers the reports of the jobs that serve one request, and joins them to one. */
export class PartReports {
  readonly #reports: JobReport[] = [];
  #usage: Record<string, number> | undefined;
  /** Parts that were put back for another worker. */
  #putBack = 0;

  /** Adds a job that has ended. One that found nothing to do counts for nothing. Returns whether a worker had it. */
  add(report: JobReport, usage: Usage | undefined): boolean {
    const isIdle = report.attempts === 0 && report.end.kind === "complete";
    if (isIdle) return false;
    this.#reports.push(report);
    for (const [unit, amount] of Object.entries(usage ?? {})) {
      this.#usage ??= {};
      this.#usage[unit] = (this.#usage[unit] ?? 0) + amount;
    }
    return report.claim !== undefined;
  }

  putBack(): void {
    this.#putBack += 1;
  }

  /** Tells the client which workers had parts of its request, and why. */
  explain(headers: Headers): void {
    if (this.#route) nameWorkers(headers, this.#workers, this.#route.reason);
  }

  get #workers(): readonly ClaimedWorker[] {
    return this.#reports.flatMap(({ claim }) => (claim?.worker.id ? [claim.worker] : []));
  }

  get #route(): Route | undefined {
    const last = this.#reports.findLast(({ claim }) => claim !== undefined);
    return new Set(this.#workers.map(({ id }) => id)).size > 1 ? PARTS : last?.claim?.route;
  }

  /** Joins what was added. `status` is that of the client's answer; undefined without one. */
  join(caller: JobReport["caller"], end: JobEnd, status: number | undefined, durationMs: number): JoinedReport {
    const served = this.#reports.filter(({ claim }) => claim !== undefined);
    const sum = (amount: (report: JobReport) => number): number =>
      this.#reports.reduce((total, each) => total + amount(each), 0);
    const waits = (served.length > 0 ? served : this.#reports).map(({ queuedMs }) => queuedMs);
    const retries = sum(({ attempts }) => Math.max(0, attempts - 1)) + this.#putBack;
    return {
      parts: served.length,
      usage: this.#usage,
      report: {
        jobId: this.#reports[0]?.jobId,
        kind: this.#reports[0]?.kind,
        caller,
        class: this.#reports[0]?.class ?? caller.class,
        endUser: this.#reports[0]?.endUser,
        end,
        // The last one: if the request failed, the worker whose part failed for good.
        claim: served.at(-1)?.claim,
        route: this.#route,
        attempts: served.length === 0 ? 0 : 1 + retries,
        refusals: sum(({ refusals }) => refusals),
        // Counted with each part.
        failedAttempts: [],
        lastAttempt: undefined,
        retryReason: this.#reports.findLast(({ retryReason }) => retryReason !== undefined)?.retryReason,
        // The request has waited until its first part had a slot.
        queuedMs: waits.length === 0 ? 0 : Math.min(...waits),
        // The answer begins when all of its parts are there.
        firstByteMs: status === undefined ? undefined : durationMs,
        durationMs,
        bytesOut: sum(({ bytesOut }) => bytesOut),
        status,
      },
    };
  }
}
