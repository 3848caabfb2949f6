import type { ExchangeRequest, ExchangeSink } from "../../src/tunnel/exchange.ts";
import type { FakeClock } from "./fake-clock.ts";
import { type ScriptedExchange, ScriptedSession } from "./scripted-session.ts";

/** A worker that answers each request after the time that its path names. */
export class WorkingSession extends ScriptedSession {
  readonly #clock: FakeClock;
  readonly #onChange: () => void;

  /** `onChange` is called when a job begins and when one ends. */
  constructor(workerId: string, models: readonly string[], slots: number, clock: FakeClock, onChange: () => void) {
    super(workerId, models, slots, clock);
    this.#clock = clock;
    this.#onChange = onChange;
  }

  override open(request: ExchangeRequest, sink: ExchangeSink): ScriptedExchange {
    const exchange = super.open(request, {
      onHead: (head) => sink.onHead(head),
      onData: (bytes) => sink.onData(bytes),
      onEnd: (end) => {
        this.exchanges.splice(this.exchanges.indexOf(exchange), 1);
        sink.onEnd(end);
        if (end.kind === "canceled") queueMicrotask(() => exchange.confirm());
      },
      onSettled: () => {
        sink.onSettled();
        this.#onChange();
      },
    });
    this.#onChange();
    this.#clock.after(Number(request.head.path.slice(1)), () => {
      exchange.head({ status: 200, headers: [] });
      exchange.end();
    });
    return exchange;
  }
}
