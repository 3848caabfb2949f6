import { createCaller } from "../../src/auth/caller.ts";
import type { Claim } from "../../src/pool/claim.ts";
import type { Demand } from "../../src/pool/directory.ts";
import { NONE_EXCLUDED } from "../../src/pool/excluded.ts";
import { Job } from "../../src/pool/job.ts";
import type { JobReport } from "../../src/pool/job-spec.ts";
import { Pool } from "../../src/pool/pool.ts";
import type { Affinity, WarmSession } from "../../src/pool/routing/affinity.ts";
import type { HealthEvent } from "../../src/pool/routing/health-watch.ts";
import { Soonest } from "../../src/pool/routing/soonest.ts";
import type { JobTicket } from "../../src/pool/ticket.ts";
import type { Offer } from "../../src/tunnel/session.ts";
import { FakeClock } from "./fake-clock.ts";
import { ScriptedSession } from "./scripted-session.ts";

const CALLER = createCaller("alice");

/** A pool that sends jobs where they are served soonest, with scripted workers of the model `m`. */
export class RoutedPool {
  readonly clock = new FakeClock();
  readonly events: HealthEvent[] = [];
  readonly pool = new Pool({
    clock: this.clock,
    queueSize: 1000,
    queueTimeoutMs: 600_000,
    modelGraceMs: 60_000,
    serverId: "s1",
    name: "llm",
    routePolicy: new Soonest(),
    onHealth: (event) => this.events.push(event),
  });

  join(workerId: string, slots: number, offer: Partial<Offer> = {}): ScriptedSession {
    const session = new ScriptedSession(workerId, offer.models ?? ["m"], slots, this.clock);
    session.offer = { ...session.offer, ...offer };
    session.host = this.pool;
    this.pool.onOpened(session);
    return session;
  }

  ticket(more: Partial<Demand> = {}, caller = CALLER): JobTicket {
    const demand: Demand = { model: "m", exact: false, excluded: NONE_EXCLUDED, ...more };
    return this.pool.issueTicket({ caller, demand }, this.clock.elapsed());
  }

  claim(more: Partial<Demand> = {}, caller = CALLER): Claim | undefined {
    return this.pool.claim(this.ticket(more, caller));
  }

  /** Says where the next job would go and why, and takes the slot. */
  where(more: Partial<Demand> = {}): string {
    const claim = this.claim(more);
    return claim ? `${claim.worker.id}: ${claim.route.reason}` : "waits";
  }

  /** The same for several jobs, one after the other. */
  wheres(count: number, more: Partial<Demand> = {}): string[] {
    return Array.from({ length: count }, () => this.where(more));
  }

  /** Has a worker serve a job of some length, as its report would count it. */
  serve(
    workerId: string,
    { firstByteMs, runningMs }: { readonly firstByteMs: number; readonly runningMs: number },
  ): void {
    const claim = this.claim({ workerId });
    claim?.count({
      outcome: "completed",
      error: undefined,
      runningMs,
      firstByteMs,
      usage: undefined,
      input: 1000,
      output: 100,
    });
    claim?.release();
  }

  /** Starts a job; its report is called at its end. */
  start(onReport: (report: JobReport) => void = () => {}, model = "m"): Job {
    const job: Job = new Job(
      this.pool,
      this.clock,
      {
        requestId: "r",
        kind: "chat.completions",
        model,
        caller: CALLER,
        exact: false,
        silenceMs: 600_000,
        stallMs: 600_000,
        request: () => ({ head: { method: "POST", path: "/", headers: [] }, body: new Uint8Array(0) }),
      },
      { onHead: () => {}, onData: ({ length }) => job.consumed(length), onEnd: () => {} },
      onReport,
    );
    job.start();
    return job;
  }
}

/** Knows these sessions as warm, best first. */
export function warm(...candidates: readonly WarmSession[]): Affinity {
  return { candidates: () => candidates };
}
