import type { ExchangeRequest, ExchangeSink } from "../../../src/tunnel/exchange.ts";
import type { FakeClock } from "../../support/fake-clock.ts";
import { type ScriptedExchange, ScriptedSession } from "../../support/scripted-session.ts";
import { ModelLoader } from "./model-loader.ts";
import { type Hardware, ModelServer } from "./model-server.ts";
import type { Trace } from "./trace.ts";

/** A worker and its model server. */
export interface MachinePlan {
  readonly id: string;
  readonly hardware: Hardware;
  /** One model unless given. */
  readonly models?: readonly string[];
  /** The models that it keeps loaded, and how long it takes to load another one; all of them unless given. */
  readonly memory?: { readonly models: number; readonly loadMs: number };
  /** Whether it answers each request with status 500 at once. */
  readonly isBroken?: boolean;
}

/** The model of machines and requests that name none. */
export const ONE_MODEL = "model";

/** Milliseconds until a worker has noticed which models are loaded. It asks its model server now and then. */
const NOTICE_MS = 5000;

/** Milliseconds after which a broken machine answers. */
const FAILURE_MS = 2;

/** A simulated worker with its model server, which serves the requests of the pool. */
export class Machine extends ScriptedSession {
  readonly server: ModelServer;
  readonly loader: ModelLoader | undefined;
  readonly #plan: MachinePlan;
  readonly #clock: FakeClock;
  readonly #traceOf: (path: string) => Trace;

  /** `traceOf` finds what the client behind a request wants. */
  constructor(plan: MachinePlan, clock: FakeClock, traceOf: (path: string) => Trace) {
    super(plan.id, plan.models ?? [ONE_MODEL], plan.hardware.slots, clock);
    this.#plan = plan;
    this.#clock = clock;
    this.#traceOf = traceOf;
    this.server = new ModelServer(plan.hardware, clock);
    this.loader = plan.memory && new ModelLoader(plan.memory.models, plan.memory.loadMs, clock);
    if (this.loader) this.offer = { ...this.offer, loaded: [] };
  }

  override open(request: ExchangeRequest, sink: ExchangeSink): ScriptedExchange {
    const exchange = super.open(request, {
      onHead: (head) => sink.onHead(head),
      onData: (bytes) => sink.onData(bytes),
      onEnd: (end) => sink.onEnd(end),
      onSettled: () => {
        const at = this.exchanges.indexOf(exchange);
        if (at >= 0) this.exchanges.splice(at, 1);
        sink.onSettled();
      },
    });
    const trace = this.#traceOf(request.head.path);
    if (this.#plan.isBroken) this.#clock.after(FAILURE_MS, () => fail(exchange));
    else this.#load(trace.wish.model, () => this.#generate(trace, exchange));
    return exchange;
  }

  #load(model: string, onLoaded: () => void): void {
    const { loader } = this;
    const loadsBefore = loader?.loads;
    const loadMs = loader?.use(model) ?? 0;
    if (loader && loader.loads !== loadsBefore)
      this.#clock.after(NOTICE_MS, () => this.changeOffer({ loaded: loader.loaded }));
    if (loadMs > 0) this.#clock.after(loadMs, onLoaded);
    else onLoaded();
  }

  #generate(trace: Trace, exchange: ScriptedExchange): void {
    const { prompt, outputTokens } = trace.wish;
    trace.cost = this.server.start({
      ...prompt,
      outputTokens,
      onFirstToken: () => answer(exchange, 200),
      onEnd: () => exchange.end(),
    });
  }
}

const BYTE = new Uint8Array(1);

function answer(exchange: ScriptedExchange, status: number): void {
  exchange.head({ status, headers: [] });
  exchange.data(BYTE);
}

function fail(exchange: ScriptedExchange): void {
  answer(exchange, 500);
  exchange.end();
}
