import type { Exchange, ExchangeRequest, ExchangeSink } from "../../src/tunnel/exchange.ts";
import type { Offer, Session, SessionHost } from "../../src/tunnel/session.ts";
import type { Close } from "../../src/wire/closes.ts";

/** An exchange that a test plays the worker of. */
export interface ScriptedExchange extends Exchange {
  readonly request: ExchangeRequest;
  readonly sink: ExchangeSink;
  readonly cancelled: string[];
  readonly taken: number[];
  lastProgressAt: number;
  isWaitingForUs: boolean;
}

/** A session without a socket: records what is opened, and lets a test answer. */
export class ScriptedSession implements Session {
  readonly id: string;
  readonly worker: Session["worker"];
  readonly dialect = "native";
  readonly connectedAt = 0;
  readonly lastHeartbeatAt = 0;
  lastHeardAt = 0;
  readonly telemetry = { cpuPercent: undefined, ramUsedPercent: undefined };
  readonly exchanges: ScriptedExchange[] = [];
  readonly closes: Close[] = [];
  offer: Offer;
  /** Told of this session's end, as its endpoint would. */
  host: SessionHost | undefined;

  constructor(workerId: string, models: readonly string[], maxConcurrency: number) {
    this.id = `session of ${workerId}`;
    this.worker = { id: workerId, name: workerId, version: undefined, hostInfo: {} };
    this.offer = { models, maxConcurrency, embeddingBatchSize: undefined, status: "ready", reason: undefined };
  }

  open(request: ExchangeRequest, sink: ExchangeSink): Exchange {
    const exchange: ScriptedExchange = {
      request,
      sink,
      cancelled: [],
      taken: [],
      lastProgressAt: 0,
      isWaitingForUs: false,
      consumed: (bytes) => exchange.taken.push(bytes),
      cancel: (code) => {
        exchange.cancelled.push(code);
        sink.onEnd({ kind: "canceled" });
      },
    };
    this.exchanges.push(exchange);
    return exchange;
  }

  sendDrain(): void {}

  close({ code, reason }: Close): void {
    this.closes.push({ code, reason });
    this.host?.onClosed(this, reason);
  }
}
