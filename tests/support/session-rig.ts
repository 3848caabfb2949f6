import { silentLog } from "../../src/system/log.ts";
import type { Dialect } from "../../src/tunnel/dialect.ts";
import type { ExchangeEnd, ExchangeSink } from "../../src/tunnel/exchange.ts";
import type { Offer } from "../../src/tunnel/session.ts";
import { WorkerSession } from "../../src/tunnel/worker-session.ts";
import type { ResponseHead } from "../../src/wire/heads.ts";
import { FakeClock } from "./fake-clock.ts";

/** A sink that records calls out of order, and calls after the last one. */
export class StrictSink implements ExchangeSink {
  readonly ends: ExchangeEnd[] = [];
  /** The calls that broke the contract. */
  readonly wrongs: string[] = [];
  head: ResponseHead | undefined;
  isSettled = false;
  readonly #pieces: Uint8Array[] = [];

  get body(): Buffer {
    return Buffer.concat(this.#pieces);
  }

  onHead(head: ResponseHead): void {
    if (this.head || this.ends.length > 0) this.wrongs.push("a head out of turn");
    this.head = head;
  }

  onData(bytes: Uint8Array): void {
    if (!this.head || this.ends.length > 0) this.wrongs.push("data out of turn");
    this.#pieces.push(bytes.slice());
  }

  onEnd(end: ExchangeEnd): void {
    if (this.ends.length > 0) this.wrongs.push("a second end");
    this.ends.push(end);
  }

  onSettled(): void {
    if (this.isSettled || this.ends.length === 0) this.wrongs.push("settled out of turn");
    this.isSettled = true;
  }
}

const CONFIRM_TIMEOUT_MS = 5000;

/** Starts a session on a socket that only records what is sent. */
export function startSession(dialect: Dialect, clock = new FakeClock(), offered: Partial<Offer> = {}) {
  const sent: (string | Uint8Array)[] = [];
  const closes: string[] = [];
  const told: string[] = [];
  const state = { result: "sent" as "sent" | "queued" | "lost" };
  const keep = (data: string | Uint8Array): void => {
    if (state.result !== "lost") sent.push(typeof data === "string" ? data : data.slice());
    if (state.result !== "sent") session.handleSendResult(state.result);
  };
  const session: WorkerSession = new WorkerSession({
    id: "s",
    worker: { id: "w", name: "w", version: undefined, hostInfo: {} },
    offer: {
      models: ["m"],
      maxConcurrency: 9,
      embeddingBatchSize: undefined,
      status: "ready",
      reason: undefined,
      ...offered,
    },
    dialect,
    socket: {
      send: keep,
      sendNow: keep,
      ping: () => {},
      close(code, reason) {
        closes.push(`${code} ${reason}`);
        session.handleClosed(reason);
      },
    },
    host: {
      onOfferChange: () => told.push("offer"),
      onClosed: (_session, reason) => told.push(`closed ${reason}`),
    },
    clock,
    log: silentLog,
    confirmTimeoutMs: CONFIRM_TIMEOUT_MS,
  });
  return { session, sent, closes, told, clock, state, confirmTimeoutMs: CONFIRM_TIMEOUT_MS };
}
