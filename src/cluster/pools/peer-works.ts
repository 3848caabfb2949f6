import type { Claim } from "../../pool/claim.ts";
import type { Work } from "../../pool/seat.ts";
import type { CancelTimer, Clock } from "../../system/deps.ts";
import { type JobNews, toWork } from "./work-message.ts";

/** How long the peer's report of a job is awaited after the end of the job, in milliseconds. */
const NEWS_MS = 5000;

export interface PeerWorksOptions {
  readonly clock: Clock;
  /** Called once for each job, when its work has been added to the totals of its worker. */
  readonly onCounted: (claim: Claim, work: Work) => void;
}

interface PeerWork {
  readonly claim: Claim;
  readonly startedAt: number;
  /** How the job ended, as this server has seen it; undefined while it runs. */
  seen: { readonly work: Work; readonly at: number } | undefined;
  news: JobNews["work"];
}

/**
 * The jobs of peers on workers of this server, until they are counted for their workers. This server sees how each ends. The
 * peer knows what the job used and what its client got, and reports that a moment later. A job without a report is counted by
 * what this server has seen.
 */
export class PeerWorks {
  readonly #options: PeerWorksOptions;
  readonly #works = new Map<string, PeerWork>();
  #cancelSweep: CancelTimer | undefined;

  constructor(options: PeerWorksOptions) {
    this.#options = options;
  }

  /** The number of jobs that are not counted yet. */
  get size(): number {
    return this.#works.size;
  }

  /** Notes that a job has got a slot. */
  began(peer: string, ref: number, claim: Claim): void {
    const key = keyOf(peer, ref);
    // A peer that repeats a number loses the report of the later job.
    if (!this.#works.has(key))
      this.#works.set(key, { claim, startedAt: this.#options.clock.elapsed(), seen: undefined, news: undefined });
  }

  /** Notes that a job has ended. A job that no worker has worked on, for example after a refusal, has no outcome. */
  ended(peer: string, ref: number, outcome: Pick<Work, "outcome" | "error"> | undefined): void {
    const key = keyOf(peer, ref);
    const job = this.#works.get(key);
    if (!job || job.seen) return;
    if (!outcome) return void this.#works.delete(key);
    const at = this.#options.clock.elapsed();
    const work: Work = { ...outcome, runningMs: at - job.startedAt, usage: undefined, output: 0 };
    job.seen = { work, at };
    if (job.news) this.#count(key, job);
    else this.#cancelSweep ??= this.#options.clock.after(NEWS_MS, () => this.#sweep());
  }

  /** Takes in the reports of a peer. */
  onNews(peer: string, jobs: readonly JobNews[]): void {
    for (const { ref, progress, work } of jobs) {
      const key = keyOf(peer, ref);
      const job = this.#works.get(key);
      if (!job) continue;
      if (progress !== undefined) job.claim.progress(progress);
      job.news ??= work;
      if (job.news && job.seen) this.#count(key, job);
    }
  }

  #count(key: string, { claim, seen, news }: PeerWork): void {
    this.#works.delete(key);
    if (!seen) return;
    const work = news ? toWork(news, seen.work.runningMs) : seen.work;
    claim.count(work);
    this.#options.onCounted(claim, work);
  }

  #sweep(): void {
    const { clock } = this.#options;
    this.#cancelSweep = undefined;
    const now = clock.elapsed();
    let nextAt: number | undefined;
    for (const [key, job] of [...this.#works]) {
      if (!job.seen) continue;
      if (job.seen.at + NEWS_MS <= now) this.#count(key, job);
      else nextAt = Math.min(nextAt ?? Number.POSITIVE_INFINITY, job.seen.at + NEWS_MS);
    }
    if (nextAt !== undefined) this.#cancelSweep = clock.after(nextAt - now, () => this.#sweep());
  }
}

function keyOf(peer: string, ref: number): string {
  return `${peer} ${ref}`;
}
