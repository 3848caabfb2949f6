import type { Work } from "../../pool/seat.ts";
import type { CancelTimer, Clock } from "../../system/deps.ts";
import type { Tell } from "../tells.ts";
import { type JobNews, MAX_JOBS, toNews } from "./work-message.ts";

/** How long reports of jobs are collected before they are sent, in milliseconds. */
const GATHER_MS = 250;

export interface WorkTellerOptions {
  /** The name of the pool. */
  readonly name: string;
  readonly clock: Pick<Clock, "after">;
  /** Sends a message to a peer. Returns false if it was not sent. */
  readonly send: (peer: string, message: Tell) => boolean;
}

/** What a peer has not been told of a job yet. */
interface Untold {
  progress: number;
  work: Work | undefined;
}

/**
 * Reports to peers what the jobs of this server cost their workers: what they used, and how fast they were. Each job is
 * reported once, in batches. Reports that are lost with a link are missing from the totals of a worker, and nowhere else.
 */
export class WorkTeller {
  readonly #options: WorkTellerOptions;
  /** By peer, and by the number of the job. */
  readonly #news = new Map<string, Map<number, Untold>>();
  #cancelFlush: CancelTimer | undefined;
  #refs = 0;

  constructor(options: WorkTellerOptions) {
    this.#options = options;
  }

  /** Returns the number for a new job, which no other job of this server has. */
  nextRef(): number {
    this.#refs += 1;
    return this.#refs;
  }

  progress(peer: string, ref: number, output: number): void {
    const jobs = this.#jobsOf(peer);
    const known = jobs.get(ref);
    if (known) known.progress += output;
    else jobs.set(ref, { progress: output, work: undefined });
  }

  count(peer: string, ref: number, work: Work): void {
    const jobs = this.#jobsOf(peer);
    const known = jobs.get(ref);
    if (known) known.work = work;
    else jobs.set(ref, { progress: 0, work });
    if (jobs.size >= MAX_JOBS) this.#tell(peer);
  }

  /** Sends all reports at once, and none later. */
  close(): void {
    this.#cancelFlush?.();
    for (const peer of [...this.#news.keys()]) this.#tell(peer);
  }

  #jobsOf(peer: string): Map<number, Untold> {
    this.#cancelFlush ??= this.#options.clock.after(GATHER_MS, () => {
      this.#cancelFlush = undefined;
      for (const each of [...this.#news.keys()]) this.#tell(each);
    });
    const known = this.#news.get(peer);
    if (known) return known;
    const jobs = new Map<number, Untold>();
    this.#news.set(peer, jobs);
    return jobs;
  }

  #tell(peer: string): void {
    const all = [...(this.#news.get(peer) ?? [])];
    this.#news.delete(peer);
    for (let at = 0; at < all.length; at += MAX_JOBS) {
      const jobs = all.slice(at, at + MAX_JOBS).map(([ref, untold]) => toJob(ref, untold));
      this.#options.send(peer, { type: "work", pool: this.#options.name, jobs });
    }
  }
}

function toJob(ref: number, { progress, work }: Untold): JobNews {
  if (!work) return { ref, progress };
  return progress === 0 ? { ref, work: toNews(work) } : { ref, progress, work: toNews(work) };
}
