import { type Caller, createCaller } from "../../src/auth/caller.ts";
import { Job } from "../../src/pool/job.ts";
import type { JobEnd, JobReport } from "../../src/pool/job-spec.ts";
import { FakeClock } from "./fake-clock.ts";
import { MemoryLinks } from "./memory-links.ts";
import { PoolServer, type PoolServerOptions } from "./pool-server.ts";
import type { WorkingSession } from "./working-session.ts";

/** A job that a test sends to one of the servers. */
export interface ClusterWish {
  readonly server: number;
  /** For how long it holds its slot, which is also what it costs. */
  readonly ms: number;
  readonly caller?: Caller;
  readonly model?: string;
  readonly workerId?: string | undefined;
  readonly endUser?: string | undefined;
}

/** What has become of a job. Times are milliseconds after the start. */
export interface ClusterRun {
  readonly wish: ClusterWish;
  readonly sentAt: number;
  readonly job: Job;
  begunAt: number | undefined;
  endedAt: number | undefined;
  /** The time at which its answer began to arrive. */
  headAt: number | undefined;
  /** How often a worker was given it after that, which MUST NOT happen. */
  repeats: number;
  /** The server whose worker has served it. */
  servedAt: string | undefined;
  readonly ends: JobEnd[];
  report: JobReport | undefined;
}

export interface PoolClusterOptions extends PoolServerOptions {
  readonly servers: number;
  /** Milliseconds for a message in one direction. */
  readonly delayMs?: number | (() => number);
  readonly random?: () => number;
}

/** Real pools on several servers, which are linked in memory. Workers hold each job for its time. */
export class PoolCluster {
  readonly clock = new FakeClock();
  readonly links: MemoryLinks;
  readonly servers: readonly PoolServer[];
  readonly runs: ClusterRun[] = [];
  readonly random: () => number;
  readonly #startedAt = this.clock.elapsed();

  constructor(options: PoolClusterOptions) {
    this.links = new MemoryLinks(this.clock, options.delayMs ?? 1);
    this.random = options.random ?? Math.random;
    this.servers = Array.from({ length: options.servers }, (_, at) => new PoolServer(`s${at}`, this, options));
    this.links.connectAll();
  }

  get now(): number {
    return this.clock.elapsed() - this.#startedAt;
  }

  at(server: number): PoolServer {
    const found = this.servers[server];
    if (!found) throw new Error(`no server ${server}`);
    return found;
  }

  find(id: string): PoolServer {
    const found = this.servers.find((server) => server.id === id);
    if (!found) throw new Error(`no server ${id}`);
    return found;
  }

  connect(server: number, workerId: string, slots: number, models: readonly string[] = ["m"]): WorkingSession {
    return this.at(server).connect(workerId, slots, models);
  }

  /** Notes that a worker has been given a job. */
  noteOpen(number: number): void {
    const run = this.runs[number];
    if (run && run.headAt !== undefined) run.repeats += 1;
  }

  send(wish: ClusterWish): ClusterRun {
    const { caller = createCaller("someone"), model = "m", workerId, endUser, ms } = wish;
    const { pool } = this.at(wish.server);
    const number = this.runs.length;
    const job = new Job(
      pool,
      this.clock,
      {
        requestId: `r${number}`,
        kind: "chat.completions",
        model,
        workerId,
        caller,
        endUser,
        exact: false,
        silenceMs: Number.POSITIVE_INFINITY,
        stallMs: Number.POSITIVE_INFINITY,
        request: (claim) => {
          run.begunAt = this.now;
          run.servedAt = claim.worker.server ?? this.at(wish.server).id;
          return { head: { method: "POST", path: `/${ms}/${number}`, headers: [] }, body: new Uint8Array(0) };
        },
      },
      {
        onHead: () => {
          run.headAt = this.now;
        },
        onData: ({ length }) => job.consumed(length),
        onEnd: (end) => {
          run.ends.push(end);
          run.endedAt = this.now;
        },
      },
      (report) => {
        run.report = report;
        report.claim?.count({ outcome: "completed", error: undefined, runningMs: ms, usage: undefined, output: ms });
      },
    );
    const run: ClusterRun = {
      wish,
      sentAt: this.now,
      job,
      begunAt: undefined,
      endedAt: undefined,
      headAt: undefined,
      repeats: 0,
      servedAt: undefined,
      ends: [],
      report: undefined,
    };
    this.runs.push(run);
    job.start();
    return run;
  }
}
