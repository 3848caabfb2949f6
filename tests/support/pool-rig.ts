import type { Caller } from "../../src/auth/caller.ts";
import { createCaller } from "../../src/auth/caller.ts";
import { Fault } from "../../src/errors.ts";
import { Job } from "../../src/pool/job.ts";
import type { JobEnd, JobReport } from "../../src/pool/job-spec.ts";
import { FairQueue, type FairQueueOptions } from "../../src/pool/policies/fair/fair-queue.ts";
import { FirstCome } from "../../src/pool/policies/first-come.ts";
import { Pool } from "../../src/pool/pool.ts";
import type { RoutePolicy } from "../../src/pool/routing/route-policy.ts";
import type { ExchangeEnd, ExchangeRequest, ExchangeSink } from "../../src/tunnel/exchange.ts";
import { HTTP_KIND } from "../../src/wire/names.ts";
import { FakeClock } from "./fake-clock.ts";
import { PolicyWitness } from "./policy-witness.ts";
import { type ScriptedExchange, ScriptedSession } from "./scripted-session.ts";

export const CALLERS: readonly Caller[] = [
  createCaller("alice"),
  createCaller("bob"),
  { ...createCaller("carol"), class: "background" },
];
/** Variants of one model, which stand in for each other, and one model under both names that Ollama takes. */
export const MODELS = ["a:8b", "a:8b-q4", "b", "b:latest", "a:8b-instruct"] as const;
/** A kind of exchange that only some workers take. */
export const RARE_KIND = "rare";
export const QUEUE_TIMEOUT_MS = 2000;
export const SILENCE_MS = 9000;
/** After so many refusals a job may wait although a slot is free. */
const MAX_REFUSALS = 3;

const FAIR_RULES: Omit<FairQueueOptions, "clock"> = {
  capacity: 3,
  costOf: ({ output }) => output,
};

/** What is special about a job. */
export type Manner =
  | "plain"
  | "leaves at the head"
  | "starts another"
  | "takes others along"
  | "has no request"
  | "has nothing to send"
  | "takes others along without a request";

export interface JobWish {
  readonly caller: number;
  readonly model: number;
  readonly workerId?: string | undefined;
  readonly exact: boolean;
  readonly exchangeKind: string | undefined;
  readonly manner: Manner;
}

/** A session that notices when its pool sends it more than it declared. */
class CountingSession extends ScriptedSession {
  readonly rig: PoolRig;
  running = 0;
  isDrained = false;

  constructor(rig: PoolRig, workerId: string, models: readonly string[], slots: number, kinds: readonly string[]) {
    super(workerId, models, slots, rig.clock);
    this.offer = { ...this.offer, exchangeKinds: kinds, ...(kinds.length > 1 ? { loaded: models.slice(0, 1) } : {}) };
    this.rig = rig;
  }

  override open(request: ExchangeRequest, sink: ExchangeSink): ScriptedExchange {
    const { maxConcurrency, status } = this.offer;
    this.running += 1;
    const slots = status === "ready" && !this.isDrained ? maxConcurrency : 0;
    if (this.running > slots) this.rig.wrongs.push(`${this.worker.id} has ${slots} slots and gets job ${this.running}`);
    let isHeld = true;
    const release = (): void => {
      if (isHeld) this.running -= 1;
      isHeld = false;
    };
    const exchange = super.open(request, {
      onHead: (head) => sink.onHead(head),
      onData: (bytes) => sink.onData(bytes),
      onEnd: (end) => {
        if (isSlotFree(end)) release();
        sink.onEnd(end);
      },
      onSettled: () => {
        this.rig.running.delete(exchange);
        release();
        sink.onSettled();
      },
    });
    this.rig.running.add(exchange);
    return exchange;
  }
}

const FREEING_CODES: ReadonlySet<string> = new Set(["draining", "upstream_unreachable", "upstream_error"]);

/** Whether a job that ends so may be sent elsewhere before its exchange has settled. */
function isSlotFree(end: ExchangeEnd): boolean {
  if (end.kind === "broken") return FREEING_CODES.has(end.code);
  return end.kind === "lost" || end.kind === "refused";
}

interface RigJob {
  readonly job: Job;
  readonly ends: JobEnd[];
  readonly reports: JobReport[];
}

/** A pool with jobs and scripted workers, and a watch over all that must hold whatever happens to them. */
export class PoolRig {
  readonly clock = new FakeClock();
  readonly pool: Pool;
  readonly sessions: CountingSession[] = [];
  /** The exchanges whose workers may still do something about them. */
  readonly running = new Set<ScriptedExchange>();
  readonly jobs: RigJob[] = [];
  readonly wrongs: string[] = [];
  /** How often workers have said that they are busy. */
  refusals = 0;
  /** Whether some worker has given a job back without working on it. */
  hasRested = false;
  /** Whether nothing but time has passed for long enough that no refused job holds back any more. */
  hasPaused = false;
  #witness: PolicyWitness | undefined;

  constructor(policy: "first come" | "fair", routePolicy: RoutePolicy) {
    this.pool = new Pool({
      routePolicy,
      clock: this.clock,
      queueSize: 3,
      queueTimeoutMs: QUEUE_TIMEOUT_MS,
      modelGraceMs: 5000,
      serverId: "s1",
      name: "llm",
      createPolicy: (host) => {
        const inner = policy === "fair" ? new FairQueue({ ...FAIR_RULES, clock: this.clock }, host) : new FirstCome(3);
        this.#witness = new PolicyWitness(inner);
        return this.#witness;
      },
    });
  }

  /** A worker connects; a wide one takes the rare kind of exchange, too. */
  connect(workerId: string, models: readonly string[], slots: number, isWide: boolean): void {
    const kinds = isWide ? [HTTP_KIND, RARE_KIND] : [HTTP_KIND];
    const session = new CountingSession(this, workerId, models, slots, kinds);
    session.host = this.pool;
    this.sessions.push(session);
    this.pool.onOpened(session);
  }

  setDrained(session: CountingSession, isDrained: boolean): void {
    if (this.pool.seatOf(session.worker.id)?.session !== session) return;
    session.isDrained = isDrained;
    this.pool.setDrained(session.worker.id, isDrained);
  }

  start(wish: JobWish): void {
    const ends: JobEnd[] = [];
    const reports: JobReport[] = [];
    let [hasHead, isStarted] = [false, false];
    const wrong = (what: string): void => void this.wrongs.push(`job ${at}: ${what}`);
    const at = this.jobs.length;
    const { manner, exchangeKind } = wish;
    const kind = exchangeKind === undefined ? {} : { kind: exchangeKind };
    const job: Job = new Job(
      this.pool,
      this.clock,
      {
        requestId: `r${at}`,
        kind: "chat.completions",
        model: MODELS[wish.model] ?? "",
        workerId: wish.workerId,
        exact: wish.exact,
        exchangeKind,
        // Each second session, the newest first, connected or not.
        affinity: {
          candidates: () =>
            this.sessions
              .filter((_, index) => (index + at) % 2 === 0)
              .reverse()
              .map(({ id }) => ({ sessionId: id, share: 0.5, source: "prefix" })),
        },
        caller: CALLERS[wish.caller] ?? createCaller("nobody"),
        silenceMs: SILENCE_MS,
        stallMs: SILENCE_MS,
        request: () => {
          if (manner === "has no request" || manner === "takes others along without a request")
            throw new Fault("invalid_request");
          if (manner === "has nothing to send") return undefined;
          return { head: { ...kind, method: "POST", path: "/", headers: [] }, body: new Uint8Array(1) };
        },
      },
      {
        onHead: () => {
          if (hasHead || ends.length > 0 || !isStarted) wrong("a head out of turn");
          hasHead = true;
          if (manner === "leaves at the head") job.cancel();
        },
        onData: (bytes) => {
          if (!hasHead || ends.length > 0) wrong("data out of turn");
          job.consumed(bytes.length);
        },
        onEnd: (end) => {
          ends.push(end);
          if (reports.length !== 1) wrong("an end without its report");
          if (manner.startsWith("takes others along")) for (const other of this.jobs) other.job.cancel();
          if (manner === "starts another" && this.jobs.length < 30) this.start({ ...wish, manner: "plain" });
        },
      },
      (report) => {
        reports.push(report);
        report.claim?.count({ outcome: "completed", error: undefined, runningMs: 1, usage: undefined, output: 1 });
      },
    );
    this.jobs.push({ job, ends, reports });
    job.start();
    isStarted = true;
  }

  /** Tells what does not hold at this moment. */
  check(): string[] {
    const wrongs = [...this.wrongs, ...(this.#witness?.wrongs ?? [])];
    const expectEqual = (what: string, is: number, should: number): void => {
      if (is !== should) wrongs.push(`${what}: ${is}, not ${should}`);
    };
    const { pool } = this;
    const live = this.jobs.filter(({ ends }) => ends.length === 0);
    expectEqual(
      "slots held",
      pool.busyTotal,
      this.sessions.reduce((sum, { running }) => sum + running, 0),
    );
    for (const seat of pool.seats()) {
      const running = seat.session instanceof CountingSession ? seat.session.running : -1;
      expectEqual(`slots held of ${seat.session.worker.id}`, seat.busy, running);
    }
    expectEqual("jobs that wait", pool.queueLength, this.jobs.filter(({ job }) => job.isWaiting).length);
    expectEqual("tickets", this.#witness?.open ?? -1, pool.busyTotal + pool.queueLength);
    expectEqual("registered jobs", [...pool.jobs.all()].length, live.length);
    for (const { job, ends, reports } of this.jobs) {
      if (ends.length > 1 || ends.length !== reports.length) wrongs.push("a job with two ends");
      if (ends.length > 0 && job.isWaiting) wrongs.push("a job that waits after its end");
      const { status, position } = job.facts();
      if (ends.length === 0 && (status === "waiting") !== position > 0) wrongs.push(`a ${status} job at ${position}`);
    }
    return [...wrongs, ...this.#forgotten()];
  }

  /** Finds tickets that wait although a slot is free for them. */
  #forgotten(): string[] {
    if (this.refusals >= MAX_REFUSALS && !this.hasPaused) return [];
    // A job that a worker gives back also lets background jobs have the slots of others, which they get a moment later.
    const mayHold = this.hasRested && !this.hasPaused;
    const waiting = this.#witness?.waiting.filter((ticket) => !(mayHold && ticket.class === "background")) ?? [];
    const forgotten = waiting.filter((ticket) => this.pool.hasRoomFor(ticket));
    return forgotten.map(({ number }) => `ticket ${number} waits beside a free slot`);
  }
}
