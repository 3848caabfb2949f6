import { type Caller, createCaller } from "../../src/auth/caller.ts";
import { Fault } from "../../src/errors.ts";
import type { Claim } from "../../src/pool/claim.ts";
import { NONE_EXCLUDED } from "../../src/pool/excluded.ts";
import { FairQueue, type FairQueueOptions } from "../../src/pool/policies/fair/fair-queue.ts";
import { Pool } from "../../src/pool/pool.ts";
import { Soonest } from "../../src/pool/routing/soonest.ts";
import type { JobTicket } from "../../src/pool/ticket.ts";
import type { Wait } from "../../src/pool/waits.ts";
import { FakeClock } from "./fake-clock.ts";
import { ScriptedSession } from "./scripted-session.ts";

/** A job of the rig: it holds a slot for as many milliseconds as it costs. */
export interface FairJob {
  readonly caller: Caller;
  readonly cost: number;
  /** Milliseconds after the start of the run. */
  readonly arrivesAt?: number;
  readonly model?: string;
  readonly endUser?: string | undefined;
  readonly class?: Caller["class"];
  /** The session of the worker that has all of its prompt in the cache; undefined if none has. */
  readonly warmOn?: string | undefined;
}

/** What has happened to one job. Times are milliseconds after the start of the run. */
export interface FairRun {
  readonly job: FairJob;
  readonly ticket: JobTicket;
  grantedAt: number | undefined;
  workerId: string | undefined;
  endedAt: number | undefined;
  fault: string | undefined;
  wait: Wait | undefined;
  isRepeated?: boolean;
}

/** Creates a caller; its name is also that of its tenant, unless one is given. */
export function member(name: string, more: Partial<Caller> = {}): Caller {
  return { ...createCaller(name), tenant: name, ...more };
}

/** A real pool with the fair queue on a fake clock, and jobs whose cost is the time for which they hold their slots. */
export class FairRig {
  readonly clock: FakeClock;
  readonly pool: Pool;
  readonly runs: FairRun[] = [];
  /** The jobs that got slots, in this order. */
  readonly granted: FairRun[] = [];
  /** Called after each arrival and each end. */
  onEvent: () => void = () => {};
  readonly #startedAt: number;
  #queue: FairQueue | undefined;

  /** Rigs that share a clock are servers that run side by side. */
  constructor(rules: Partial<FairQueueOptions> = {}, clock = new FakeClock()) {
    this.clock = clock;
    this.#startedAt = clock.elapsed();
    const capacity = rules.capacity ?? 10_000;
    this.pool = new Pool({
      clock: this.clock,
      queueSize: capacity,
      queueTimeoutMs: 3_600_000,
      modelGraceMs: 3_600_000,
      serverId: "s1",
      name: "llm",
      routePolicy: new Soonest(),
      createPolicy: (host) => {
        this.#queue = new FairQueue({ capacity, clock: this.clock, costOf: (work) => work.output, ...rules }, host);
        return this.#queue;
      },
    });
  }

  get now(): number {
    return this.clock.elapsed() - this.#startedAt;
  }

  /** The number of flows and counters that the queue remembers. */
  get remembered(): number {
    return this.#queue?.remembered ?? 0;
  }

  connect(workerId: string, slots: number, models: readonly string[] = ["m"]): ScriptedSession {
    const session = new ScriptedSession(workerId, models, slots, this.clock);
    session.host = this.pool;
    this.pool.onOpened(session);
    return session;
  }

  /** Lets jobs arrive at their times, without moving the clock. */
  add(jobs: readonly FairJob[]): void {
    for (const job of jobs) {
      const wait = (job.arrivesAt ?? 0) - this.now;
      if (wait > 0) this.clock.after(wait, () => this.start(job));
      else this.start(job);
    }
  }

  /** Lets a job arrive now. */
  start(job: FairJob): FairRun {
    const { caller, model = "m", endUser, warmOn } = job;
    const affinity = {
      candidates: () => (warmOn === undefined ? [] : [{ sessionId: warmOn, share: 1, source: "session" as const }]),
    };
    const demand = { model, exact: true, excluded: NONE_EXCLUDED, ...("warmOn" in job ? { affinity } : {}) };
    const candidate = { caller, demand, endUser, class: job.class ?? caller.class };
    const ticket = this.pool.issueTicket(candidate, this.clock.elapsed());
    const run: FairRun = {
      job,
      ticket,
      grantedAt: undefined,
      workerId: undefined,
      endedAt: undefined,
      fault: undefined,
      wait: undefined,
    };
    this.runs.push(run);
    this.acquire(run);
    this.onEvent();
    return run;
  }

  /** Claims a slot, or waits for one, as a job does. */
  acquire(run: FairRun): void {
    try {
      const claim = this.pool.claim(run.ticket);
      if (claim) return this.#run(run, claim);
      run.wait = this.pool.wait(
        run.ticket,
        (granted) => this.#run(run, granted),
        (fault) => {
          run.wait = undefined;
          run.fault = fault.code;
        },
      );
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      run.fault = error.code;
    }
  }

  #run(run: FairRun, claim: Claim): void {
    run.wait = undefined;
    run.grantedAt = this.now;
    run.workerId = claim.worker.id;
    this.granted.push(run);
    this.clock.after(run.job.cost, () => {
      run.endedAt = this.now;
      const output = run.job.cost;
      claim.count({ outcome: "completed", error: undefined, runningMs: output, usage: undefined, output });
      claim.release();
      this.onEvent();
    });
  }

  /** The service that a caller has received: the cost of its ended jobs, and the time of those that run. */
  serviceOf(name: string): number {
    let service = 0;
    for (const { job, grantedAt, endedAt } of this.granted)
      if (job.caller.name === name) service += (endedAt ?? this.now) - (grantedAt ?? this.now);
    return service;
  }

  waitingOf(name: string): number {
    return this.runs.filter(({ job, wait }) => wait !== undefined && job.caller.name === name).length;
  }

  /** The jobs that wait although a slot is free that they may have. */
  forgotten(): FairRun[] {
    return this.runs.filter(({ wait, ticket }) => wait !== undefined && this.pool.hasRoomFor(ticket));
  }
}

/** Creates so many equal jobs. */
export function jobsOf(caller: Caller, count: number, cost: number, more: Partial<FairJob> = {}): FairJob[] {
  return Array.from({ length: count }, () => ({ caller, cost, ...more }));
}
