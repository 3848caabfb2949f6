import { createMetrics } from "../../../src/figures/metrics.ts";
import type { Usage } from "../../../src/figures/units.ts";
import { Ledger } from "../../../src/models/ledger.ts";
import { Job } from "../../../src/pool/job.ts";
import { Pool } from "../../../src/pool/pool.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { Machine, type MachinePlan } from "./machine.ts";
import type { Policies } from "./policies.ts";
import { BLOCK_TOKENS } from "./prefix-cache.ts";
import type { Trace, Wish } from "./trace.ts";

export interface SimulationOptions {
  readonly machines: readonly MachinePlan[];
  readonly policies: Policies;
  readonly queueSize?: number;
}

/** The real pool with its real jobs, between simulated clients and simulated model servers. Nothing in it takes real time. */
export class Simulation {
  readonly traces: Trace[] = [];
  readonly machines: readonly Machine[];
  readonly pool: Pool;
  readonly #clock = new FakeClock();
  readonly #startedAt = this.#clock.elapsed();
  readonly #ledger: Ledger;

  constructor({ machines, policies, queueSize = 1000 }: SimulationOptions) {
    this.pool = new Pool({
      clock: this.#clock,
      queueSize,
      queueTimeoutMs: 600_000,
      modelGraceMs: 60_000,
      serverId: "s1",
      name: "llm",
      createPolicy: policies.createQueue(queueSize),
      routePolicy: policies.createRoute(),
    });
    this.#ledger = new Ledger({
      pluginId: "llm",
      clock: this.#clock,
      metrics: createMetrics("simulated"),
      knownModels: () => this.pool.knownModels(),
    });
    this.machines = machines.map((plan) => {
      const machine = new Machine(plan, this.#clock, (path) => this.#traceOf(path));
      machine.host = this.pool;
      this.pool.onOpened(machine);
      return machine;
    });
  }

  /** Milliseconds since the start. */
  get now(): number {
    return this.#clock.elapsed() - this.#startedAt;
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
    const job = new Job(
      this.pool,
      this.#clock,
      {
        requestId: `r${at}`,
        kind: "chat.completions",
        model: wish.model,
        caller: wish.caller,
        exact: false,
        silenceMs: Number.POSITIVE_INFINITY,
        stallMs: Number.POSITIVE_INFINITY,
        request: () => ({ head: { method: "POST", path: `/${at}`, headers: [] }, body: NOTHING }),
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
        this.#ledger.countPart(report, usageOf(trace));
      },
    );
    job.start();
  }

  #traceOf(path: string): Trace {
    const trace = this.traces[Number(path.slice(1))];
    if (!trace) throw new Error(`${path} is not the path of a request of this simulation`);
    return trace;
  }
}

const NOTHING = new Uint8Array(0);

/** The usage that the answer states. */
function usageOf({ wish, cost }: Trace): Usage | undefined {
  if (!cost) return undefined;
  const { prompt, outputTokens } = wish;
  return {
    input_tokens: prompt.blocks.length * BLOCK_TOKENS + prompt.restTokens,
    cached_tokens: cost.cachedTokens,
    output_tokens: outputTokens,
  };
}
