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

/**
 * Reports to peers what the jobs of this server cost their workers: what they used, and how fast they were. Each job is
 * reported once, in batches. Reports that are lost with a link are missing from the totals of a worker, and nowhere else.
 */
export class WorkTeller {
  readonly #options: WorkTellerOptions;
  /** By peer, and by the number of the job. */
  readonly #news = new Map<string, Map<number, { progress: number; work: Work | undefined }>>();
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
    this.#of(peer, ref).progress += output;
  }

  count(peer: string, ref: number, work: Work): void {
    this.#of(peer, ref).work = work;
    if ((this.#news.get(peer)?.size ?? 0) >= MAX_JOBS) this.#tell(peer);
  }

  /** Sends all reports at once, and none later. */
  close(): void {
    this.#cancelFlush?.();
    for (const peer of [...this.#news.keys()]) this.#tell(peer);
  }

  #of(peer: string, ref: number): { progress: number; work: Work | undefined } {
    this.#cancelFlush ??= this.#options.clock.after(GATHER_MS, () => {
      this.#cancelFlush = undefined;
      for (const each of [...this.#news.keys()]) this.#tell(each);
    });
    const jobs = this.#news.get(peer) ?? new Map<number, { progress: number; work: Work | undefined }>();
    this.#news.set(peer, jobs);
    const known = jobs.get(ref) ?? { progress: 0, work: undefined };
    jobs.set(ref, known);
    return known;
  }

  #tell(peer: string): void {
    const all = [...(this.#news.get(peer) ?? [])];
    this.#news.delete(peer);
    for (let at = 0; at < all.length; at += MAX_JOBS) {
      const jobs = all.slice(at, at + MAX_JOBS).map(
        ([ref, { progress, work }]): JobNews => ({
          ref,
          ...(progress === 0 ? {} : { progress }),
          ...(work ? { work: toNews(work) } : {}),
        }),
      );
      this.#options.send(peer, { type: "work", pool: this.#options.name, jobs });
    }
  }
}
