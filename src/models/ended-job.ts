import type { Origin } from "../auth/caller.ts";
import type { Usage } from "../figures/units.ts";
import type { RequestCharge } from "../pool/charge.ts";
import type { JobReport, OutputForm } from "../pool/job-spec.ts";

/** A job that has ended, with what the counts need. */
export interface EndedJob {
  readonly requestId: string;
  readonly caller: Origin;
  /** The model under the client's name for it. */
  readonly model: string;
  readonly report: JobReport;
  readonly usage: Usage | undefined;
  /** Whether `usage` is an estimate, because the answer stated none. Absent: no. */
  readonly isEstimated?: boolean;
  /** The form of the answer, as in its `JobSpec`. */
  readonly outputForm?: OutputForm | undefined;
  /** What the request took from the limits of its key; absent without limits. */
  readonly charge?: RequestCharge | undefined;
  /** Size of the request's body. */
  readonly bytesIn: number;
  /**
   * The number of jobs that served the request together, each of them counted by `countPart` already. Absent if one job
   * served it.
   */
  readonly parts?: number;
}
