import { ANONYMOUS, type Caller } from "../../src/auth/caller.ts";
import { Job } from "../../src/pool/job.ts";
import type { JobEnd, JobReport, JobSpec } from "../../src/pool/job-spec.ts";
import { FairQueue } from "../../src/pool/policies/fair/fair-queue.ts";
import { Pool } from "../../src/pool/pool.ts";
import type { PoolOptions } from "../../src/pool/pool-options.ts";
import { FakeClock } from "./fake-clock.ts";
import { ScriptedRemotes } from "./scripted-remotes.ts";
import { ScriptedSession } from "./scripted-session.ts";

/** A job of a rig, and what it came to. */
export interface RemoteJob {
  readonly job: Job;
  readonly heads: number[];
  readonly ends: JobEnd[];
  readonly reports: JobReport[];
}

/** A pool with workers of its own and with scripted peers. */
export class RemoteRig {
  readonly clock = new FakeClock();
  readonly remotes = new ScriptedRemotes(this.clock);
  readonly pool: Pool;

  constructor(options: Partial<PoolOptions> = {}) {
    this.pool = new Pool({
      clock: this.clock,
      queueSize: 10,
      queueTimeoutMs: 10_000,
      modelGraceMs: 60_000,
      serverId: "a",
      name: "llm",
      remotes: { models: this.remotes, queue: this.remotes },
      createPolicy: (host) => new FairQueue({ capacity: 10, clock: this.clock, costOf: ({ output }) => output }, host),
      ...options,
    });
  }

  /** Connects a worker to this server. */
  join(workerId: string, models: readonly string[], slots = 1): ScriptedSession {
    const session = new ScriptedSession(workerId, models, slots, this.clock);
    session.host = this.pool;
    this.pool.onOpened(session);
    return session;
  }

  start(model = "m", more: Partial<JobSpec> & { readonly caller?: Caller } = {}): RemoteJob {
    const heads: number[] = [];
    const ends: JobEnd[] = [];
    const reports: JobReport[] = [];
    const job: Job = new Job(
      this.pool,
      this.clock,
      {
        requestId: "r",
        kind: "chat.completions",
        model,
        caller: ANONYMOUS,
        exact: false,
        silenceMs: 60_000,
        stallMs: 60_000,
        request: () => ({
          head: { method: "POST", path: "/", headers: [["x-request-id", "r"]], timeout_ms: 60_000 },
          body: new Uint8Array(1),
        }),
        ...more,
      },
      { onHead: ({ status }) => heads.push(status), onData: () => {}, onEnd: (end) => ends.push(end) },
      (report) => reports.push(report),
    );
    job.start();
    return { job, heads, ends, reports };
  }

  /** Answers the last request that reached a peer, as a worker of its own. */
  answer(worker = "w"): void {
    const { exchange, server } = this.remotes.last;
    exchange.head({ status: 200, headers: [], worker: { id: worker, name: worker, session: `${server}~${worker}` } });
    exchange.end();
  }
}
