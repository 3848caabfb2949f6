import type { ExchangeRequest, ExchangeSink } from "../../src/tunnel/exchange.ts";
import type { FakeClock } from "./fake-clock.ts";
import { type ScriptedExchange, ScriptedSession } from "./scripted-session.ts";

const FIRST_BYTE = Uint8Array.of(1);

/** A worker that takes the time for each request that its path names, and begins its answer halfway. */
export class WorkingSession extends ScriptedSession {
  readonly #clock: FakeClock;
  readonly #onOpen: (number: number) => void;
  readonly #onChange: () => void;

  /** `onOpen` is called with the number of each job, and `onChange` when a job begins and when one ends. */
  constructor(
    workerId: string,
    models: readonly string[],
    slots: number,
    clock: FakeClock,
    { onOpen, onChange }: { readonly onOpen: (number: number) => void; readonly onChange: () => void },
  ) {
    super(workerId, models, slots, clock);
    this.#clock = clock;
    this.#onOpen = onOpen;
    this.#onChange = onChange;
  }

  override open(request: ExchangeRequest, sink: ExchangeSink): ScriptedExchange {
    const [, ms = "", number = ""] = request.head.path.split("/");
    this.#onOpen(Number(number));
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
    this.#clock.after(Number(ms) / 2, () => {
      exchange.head({ status: 200, headers: [] });
      exchange.data(FIRST_BYTE);
    });
    this.#clock.after(Number(ms), () => exchange.end());
    return exchange;
  }
}
