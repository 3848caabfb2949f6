import { silentLog } from "../../src/system/log.ts";
import type { ExchangeEnd, ExchangeSink } from "../../src/tunnel/exchange.ts";
import { ExchangeIds } from "../../src/tunnel/exchange-ids.ts";
import { createNativeDialect } from "../../src/tunnel/native.ts";
import type { Offer } from "../../src/tunnel/session.ts";
import { WorkerSession } from "../../src/tunnel/worker-session.ts";
import { decodeFrame } from "../../src/wire/frame.ts";
import type { Body } from "../../src/wire/pump.ts";
import { FakeClock } from "./fake-clock.ts";

export const WINDOW = 1000;
export const HEAD = { status: 200, headers: [] } as const;
export const NOTHING = new Uint8Array(0);
export const OFFER: Offer = {
  models: ["a"],
  maxConcurrency: 2,
  embeddingBatchSize: 8,
  status: "ready",
  reason: undefined,
};

/** A sink that records its calls as words. */
export class Witness implements ExchangeSink {
  readonly heard: string[] = [];
  readonly ends: ExchangeEnd[] = [];
  onHead = (): void => void this.heard.push("head");
  onData = (bytes: Uint8Array): void => void this.heard.push(`data ${bytes.length}`);
  onSettled = (): void => void this.heard.push("settled");
  onEnd = (end: ExchangeEnd): void => {
    this.ends.push(end);
    this.heard.push(end.kind);
  };
}

/** Starts a native session and records all that it sends, reports and logs. */
export function startNativeSession(ids = new ExchangeIds(), offer = OFFER) {
  const clock = new FakeClock();
  const sent: (string | Uint8Array)[] = [];
  const closes: string[] = [];
  const told: string[] = [];
  const logged: object[] = [];
  const forgotten: number[] = [];
  const state = { result: "sent" as "sent" | "queued" | "lost", pings: 0 };
  const session: WorkerSession = new WorkerSession({
    id: "s",
    worker: { id: "w", name: "w", version: undefined, hostInfo: {} },
    offer,
    dialect: { ...createNativeDialect(WINDOW), forget: (id) => forgotten.push(id) },
    socket: {
      send(data) {
        sent.push(data);
        if (state.result !== "sent") session.handleSendResult(state.result);
      },
      sendNow(data) {
        sent.push(data.slice());
        if (state.result !== "sent") session.handleSendResult(state.result);
      },
      ping: () => {
        state.pings += 1;
      },
      close(code, reason) {
        closes.push(`${code} ${reason}`);
        // A real socket tells of its end from within the call, or later, or both.
        session.handleClosed(reason);
      },
    },
    host: {
      onOfferChange: () => told.push("offer"),
      onClosed: (_session, reason) => told.push(`closed ${reason}`),
    },
    clock,
    log: { ...silentLog, info: (event, fields) => logged.push({ event, ...fields }) },
    confirmTimeoutMs: 5000,
    ids,
  });
  const open = (body: Body = new Uint8Array(10)) => {
    const sink = new Witness();
    return { sink, exchange: session.open({ head: { method: "POST", path: "/x", headers: [] }, body }, sink) };
  };
  const frames = (): string[] =>
    sent.map((data) => {
      if (typeof data === "string") return data;
      const frame = decodeFrame(data);
      return frame.type === "bad" ? "bad" : `${frame.type} ${frame.id}`;
    });
  return { clock, session, open, sent, frames, closes, told, logged, forgotten, state };
}

export const control = (message: object): string => JSON.stringify(message);
