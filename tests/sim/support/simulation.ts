import { PromptAffinity } from "../../../src/affinity/prompt-affinity.ts";
import type { RequestAffinity } from "../../../src/affinity/request-affinity.ts";
import { createMetrics } from "../../../src/figures/metrics.ts";
import type { Usage } from "../../../src/figures/units.ts";
import { Ledger } from "../../../src/models/ledger.ts";
import { Job } from "../../../src/pool/job.ts";
import { Pool } from "../../../src/pool/pool.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { Machine, type MachinePlan } from "./machine.ts";
import type { Policies } from "./policies.ts";
import type { Trace, Wish } from "./trace.ts";

export interface SimulationOptions {
  readonly machines: readonly MachinePlan[];
  readonly policies: Policies;
  readonly queueSize?: number;
}

/** The real pool with its real jobs, between simulated clients and simulated model servers. Nothing in it takes real time. */
export class Simulation {
  readonly traces: Trace[] = [];
  /** The machines that are connected, and those that were replaced. */
  readonly machines: Machine[] = [];
  readonly pool: Pool;
  readonly #clock = new FakeClock();
  readonly #startedAt = this.#clock.elapsed();
  readonly #ledger: Ledger;
  /** Undefined if nobody looks at what prompts have in common. */
  readonly #affinity: PromptAffinity | undefined;

  constructor({ machines, policies, queueSize = 1000 }: SimulationOptions) {
    this.pool = new Pool({
      clock: this.#clock,
      queueSize,
      queueTimeoutMs: 600_000,
      modelGraceMs: 60_000,
      serverId: "s1",
      name: "llm",
      createPolicy: policies.createQueue(queueSize, this.#clock),
      routePolicy: policies.createRoute(),
    });
    this.#affinity = policies.recognizesPrompts
      ? new PromptAffinity(
          () => this.#clock.elapsed(),
          () => "the secret of a simulation",
        )
      : undefined;
    this.#ledger = new Ledger({
      pluginId: "llm",
      clock: this.#clock,
      metrics: createMetrics("simulated"),
      knownModels: () => this.pool.models.known(),
    });
    for (const plan of machines) this.connect(plan);
  }

  /** Milliseconds since the start. */
  get now(): number {
    return this.#clock.elapsed() - this.#startedAt;
  }

  /** Connects a machine. It replaces one of the same id, as after a restart: its caches are empty. */
  connect(plan: MachinePlan): void {
    const before = this.machines.find(({ worker }) => worker.id === plan.id);
    before?.vanish();
    const machine = new Machine(plan, this.#clock, (path) => this.#traceOf(path));
    machine.host = this.pool;
    this.machines.push(machine);
    this.pool.onOpened(machine);
  }

  /** Runs the simulation until this time. */
  run(until: number): void {
    this.#clock.advance(until - this.now);
  }

  /** Runs an action at this time, or now if it has passed. */
  at(time: number, action: () => void): void {
    this.#clock.after(Math.max(0, time - this.now), action);
  }

  /** Sends a request. `onEnd` is called at its end, whatever the end is. */
  send(wish: Wish, onEnd: (trace: Trace) => void = () => {}): void {
    const at = this.traces.length;
    const trace: Trace = {
      wish,
      sentAt: this.now,
      firstTokenAt: undefined,
      cost: undefined,
      endedAt: undefined,
      report: undefined,
    };
    this.traces.push(trace);
    const affinity = this.#recognize(wish);
    const job = new Job(
      this.pool,
      this.#clock,
      {
        requestId: `r${at}`,
        kind: "chat.completions",
        model: wish.model,
        workerId: wish.workerId,
        affinity,
        caller: wish.caller,
        exact: false,
        silenceMs: Number.POSITIVE_INFINITY,
        stallMs: Number.POSITIVE_INFINITY,
        request: ({ sessionId }) => {
          affinity?.sent(sessionId);
          return { head: { method: "POST", path: `/${at}`, headers: [] }, body: NOTHING };
        },
      },
      {
        onHead: () => {
          trace.firstTokenAt = this.now;
        },
        onData: ({ length }) => job.consumed(length),
        onEnd: () => {
          trace.endedAt = this.now;
          onEnd(trace);
        },
      },
      (report) => {
        trace.report = report;
        const usage = usageOf(trace);
        this.#ledger.countPart(report, usage);
        if (affinity && report.claim) this.#affinity?.ended(affinity, report.claim, usage);
      },
    );
    job.start();
  }

  #recognize({ caller, model, prompt: { messages } }: Wish): RequestAffinity | undefined {
    const { tenant, name } = caller;
    const request = { tenant, caller: name, model, path: "/chat/completions", headers: NO_HEADERS };
    return messages && this.#affinity?.of({ ...request, body: { messages } });
  }

  #traceOf(path: string): Trace {
    const trace = this.traces[Number(path.slice(1))];
    if (!trace) throw new Error(`${path} is not the path of a request of this simulation`);
    return trace;
  }
}

const NOTHING = new Uint8Array(0);
const NO_HEADERS = new Headers();

/** The usage that the answer states. */
function usageOf({ wish, cost }: Trace): Usage | undefined {
  if (!cost) return undefined;
  return { input_tokens: cost.promptTokens, cached_tokens: cost.cachedTokens, output_tokens: wish.outputTokens };
}
