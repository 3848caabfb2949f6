import type { Clock } from "../deps.ts";
import { Fault } from "../errors.ts";
import { Job, type JobReport, type JobSpec } from "../pool/job.ts";
import type { Pool } from "../pool/pool.ts";
import type { HeaderPairs } from "../tunnel/frame.ts";
import { ClientGone } from "./body.ts";

/** A worker's answer, whole. */
export interface WholeAnswer {
  readonly status: number;
  readonly headers: HeaderPairs;
  readonly body: Uint8Array;
}

export interface CollectOptions {
  readonly pool: Pool;
  readonly clock: Clock;
  readonly spec: JobSpec;
  /** Past this the job is cancelled and `response_too_large` thrown. */
  readonly maxBytes: number;
  /** Aborting it cancels the job. */
  readonly signal: AbortSignal;
  /** Sees every byte of the answer on its way. */
  readonly observe: (bytes: Uint8Array) => void;
  readonly onReport: (report: JobReport) => void;
}

/** Runs a job and gathers its answer. Undefined when the job found nothing left to do. Throws `Fault` or `ClientGone`. */
export function collect({
  pool,
  clock,
  spec,
  maxBytes,
  signal,
  observe,
  onReport,
}: CollectOptions): Promise<WholeAnswer | undefined> {
  return new Promise((resolve, reject) => {
    let head: { readonly status: number; readonly headers: HeaderPairs } | undefined;
    const pieces: Uint8Array[] = [];
    let bytes = 0;
    const cancel = (): void => job.cancel();
    const job: Job = new Job(
      pool,
      clock,
      spec,
      {
        onHead: (answer) => {
          head = answer;
        },
        onData: (piece) => {
          bytes += piece.length;
          pieces.push(piece);
          observe(piece);
          if (bytes <= maxBytes) return job.consumed(piece.length);
          reject(new Fault("response_too_large"));
          job.cancel();
        },
        onEnd: (end) => {
          signal.removeEventListener("abort", cancel);
          if (end.kind === "failed") return reject(end.fault);
          if (end.kind === "canceled") return reject(new ClientGone("the client left"));
          resolve(head && { ...head, body: Buffer.concat(pieces) });
        },
      },
      onReport,
    );
    signal.addEventListener("abort", cancel);
    job.start();
    if (signal.aborted) cancel();
  });
}
