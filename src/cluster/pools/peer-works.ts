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
  /** By peer, and by the number of the job. */
  readonly #works = new Map<string, Map<number, PeerWork>>();
  #cancelSweep: CancelTimer | undefined;

  constructor(options: PeerWorksOptions) {
    this.#options = options;
  }

  /** The number of jobs that are not counted yet. */
  get size(): number {
    let count = 0;
    for (const jobs of this.#works.values()) count += jobs.size;
    return count;
  }

  /** Notes that a job has got a slot. */
  began(peer: string, ref: number, claim: Claim): void {
    let jobs = this.#works.get(peer);
    if (!jobs) {
      jobs = new Map();
      this.#works.set(peer, jobs);
    }
    // A peer that repeats a number loses the report of the later job.
    if (!jobs.has(ref))
      jobs.set(ref, { claim, startedAt: this.#options.clock.elapsed(), seen: undefined, news: undefined });
  }

  /** Notes that a job has ended. A job that no worker has worked on, for example after a refusal, has no outcome. */
  ended(peer: string, ref: number, outcome: Pick<Work, "outcome" | "error"> | undefined): void {
    const job = this.#works.get(peer)?.get(ref);
    if (!job || job.seen) return;
    if (!outcome) return this.#forget(peer, ref);
    const at = this.#options.clock.elapsed();
    const work: Work = { ...outcome, runningMs: at - job.startedAt, usage: undefined, output: 0 };
    job.seen = { work, at };
    if (job.news) this.#count(peer, ref, job);
    else this.#cancelSweep ??= this.#options.clock.after(NEWS_MS, () => this.#sweep());
  }

  /** Takes in the reports of a peer. */
  onNews(peer: string, jobs: readonly JobNews[]): void {
    for (const { ref, progress, work } of jobs) {
      const job = this.#works.get(peer)?.get(ref);
      if (!job) continue;
      if (progress !== undefined) job.claim.progress(progress);
      job.news ??= work;
      if (job.news && job.seen) this.#count(peer, ref, job);
    }
  }

  #count(peer: string, ref: number, { claim, seen, news }: PeerWork): void {
    this.#forget(peer, ref);
    if (!seen) return;
    const work = news ? toWork(news, seen.work.runningMs) : seen.work;
    claim.count(work);
    this.#options.onCounted(claim, work);
  }

  #forget(peer: string, ref: number): void {
    const jobs = this.#works.get(peer);
    jobs?.delete(ref);
    if (jobs?.size === 0) this.#works.delete(peer);
  }

  #sweep(): void {
    const { clock } = this.#options;
    this.#cancelSweep = undefined;
    const now = clock.elapsed();
    let nextAt: number | undefined;
    for (const [peer, jobs] of [...this.#works]) {
      for (const [ref, job] of [...jobs]) {
        if (!job.seen) continue;
        if (job.seen.at + NEWS_MS <= now) this.#count(peer, ref, job);
        else nextAt = Math.min(nextAt ?? Number.POSITIVE_INFINITY, job.seen.at + NEWS_MS);
      }
    }
    if (nextAt !== undefined) this.#cancelSweep = clock.after(nextAt - now, () => this.#sweep());
  }
}
