import { Fault } from "../errors.ts";
import { ClientGone } from "../http/body.ts";
import { Job } from "../pool/job.ts";
import type { JobReport, JobSpec } from "../pool/job-spec.ts";
import type { Pool } from "../pool/pool.ts";
import type { Clock } from "../system/deps.ts";
import type { HeaderPairs } from "../wire/heads.ts";

/** A worker's whole answer. */
export interface WholeAnswer {
  readonly status: number;
  readonly headers: HeaderPairs;
  readonly body: Uint8Array;
}

export interface CollectOptions {
  readonly pool: Pool;
  readonly clock: Clock;
  readonly spec: JobSpec;
  /** Reserves room for more bytes. If it returns false, the job is cancelled and `collect` rejects with `response_too_large`. */
  readonly takeRoom: (bytes: number) => boolean;
  /** Aborting it cancels the job. */
  readonly signal: AbortSignal;
  /** Sees every byte of the answer on its way. MUST be quick: it runs for every chunk. */
  readonly observe: (bytes: Uint8Array) => void;
  readonly onReport: (report: JobReport) => void;
}

/**
 * Runs a job and gathers its whole answer. Resolves to undefined if the job found nothing left to do. Rejects with a `Fault`
 * or `ClientGone`.
 */
export function collect({
  pool,
  clock,
  spec,
  takeRoom,
  signal,
  observe,
  onReport,
}: CollectOptions): Promise<WholeAnswer | undefined> {
  return new Promise((resolve, reject) => {
    let head: { readonly status: number; readonly headers: HeaderPairs } | undefined;
    const gathered = new Gathered();
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
          observe(piece);
          if (takeRoom(piece.length)) {
            gathered.push(piece);
            return job.consumed(piece.length);
          }
          reject(new Fault("response_too_large"));
          job.cancel();
        },
        onEnd: (end) => {
          signal.removeEventListener("abort", cancel);
          if (end.kind === "failed") return reject(end.fault);
          if (end.kind === "canceled") return reject(new ClientGone("the client left"));
          resolve(head && { ...head, body: gathered.join() });
        },
      },
      onReport,
    );
    signal.addEventListener("abort", cancel);
    job.start();
    if (signal.aborted) cancel();
  });
}

/** Smaller pieces are copied into blocks, so that a worker which sends single bytes does not cost an object for each. */
const SMALL_PIECE_BYTES = 4096;
const BLOCK_BYTES = 64 * 1024;

/** Collects bytes in the order in which they come. */
class Gathered {
  readonly #pieces: Uint8Array[] = [];
  #block = new Uint8Array(0);
  #used = 0;

  push(piece: Uint8Array): void {
    if (piece.length >= SMALL_PIECE_BYTES) {
      this.#closeBlock();
      this.#pieces.push(piece);
      return;
    }
    if (this.#used + piece.length > this.#block.length) {
      this.#closeBlock();
      this.#block = new Uint8Array(BLOCK_BYTES);
    }
    this.#block.set(piece, this.#used);
    this.#used += piece.length;
  }

  join(): Uint8Array {
    this.#closeBlock();
    return Buffer.concat(this.#pieces);
  }

  #closeBlock(): void {
    if (this.#used > 0) this.#pieces.push(this.#block.subarray(0, this.#used));
    this.#block = this.#block.subarray(this.#used);
    this.#used = 0;
  }
}
