import { expect } from "bun:test";
import { createLegacyDialect, type LegacyLimits } from "../../src/models/legacy-worker.ts";
import { silentLog } from "../../src/system/log.ts";
import type { ExchangeEnd, ExchangeSink } from "../../src/tunnel/exchange.ts";
import { WorkerSession } from "../../src/tunnel/worker-session.ts";
import type { RequestHead, ResponseHead } from "../../src/wire/heads.ts";
import { FakeClock } from "./fake-clock.ts";
import { legacyLimits } from "./legacy-limits.ts";

/** How many bytes of a possible refusal a session holds. */
export const HOLD = 1000;
export const POST: RequestHead = {
  method: "POST",
  path: "/chat/completions",
  headers: [["content-type", "application/json"]],
};
export const base64 = (text: string): string => Buffer.from(text).toString("base64");
export const headers = (id: string, status: number, fields: Record<string, unknown> = {}) => ({
  type: "http_proxy_response_headers",
  request_id: id,
  status,
  headers: fields,
});
export const chunk = (id: string, text: string) => ({
  type: "http_proxy_response_chunk",
  request_id: id,
  data: base64(text),
});
export const end = (id: string, code?: string) => ({
  type: "http_proxy_response_end",
  request_id: id,
  ...(code === undefined ? {} : { error: { code, message: "why" } }),
});

/** A sink that records its calls as words. */
export class Witness implements ExchangeSink {
  readonly heard: string[] = [];
  readonly ends: ExchangeEnd[] = [];
  head: ResponseHead | undefined;
  onHead = (head: ResponseHead): void => {
    this.head = head;
    this.heard.push(`head ${head.status}`);
  };
  onData = (bytes: Uint8Array): void => void this.heard.push(Buffer.from(bytes).toString());
  onSettled = (): void => void this.heard.push("settled");
  onEnd = (ended: ExchangeEnd): void => {
    this.ends.push(ended);
    this.heard.push(ended.kind === "broken" ? `broken ${ended.code}` : ended.kind);
  };
}

/** Starts a session of a legacy worker on a socket that only records. */
export function startLegacySession(limits: Partial<LegacyLimits> = {}) {
  const clock = new FakeClock();
  const sent: unknown[] = [];
  const closes: string[] = [];
  const session: WorkerSession = new WorkerSession({
    id: "s",
    worker: { id: "w", name: "w", version: undefined, hostInfo: {} },
    offer: { models: [], maxConcurrency: 1, embeddingBatchSize: undefined, status: "ready", reason: undefined },
    dialect: createLegacyDialect({ ...legacyLimits(HOLD), ...limits }),
    socket: {
      send(data) {
        sent.push(JSON.parse(typeof data === "string" ? data : Buffer.from(data).toString()));
        return "sent";
      },
      sendNow: () => expect.unreachable(),
      ping: () => {},
      close(code, reason) {
        closes.push(`${code} ${reason}`);
      },
    },
    host: { onOfferChange: () => {}, onClosed: () => {} },
    clock,
    log: silentLog,
    confirmTimeoutMs: 5000,
  });
  const open = (body: Uint8Array | ReadableStream<Uint8Array> = Buffer.from("{}"), head = POST) => {
    const sink = new Witness();
    return { sink, exchange: session.open({ head, body }, sink) };
  };
  const hear = (...messages: object[]): void => {
    for (const message of messages) session.handleMessage(JSON.stringify(message));
  };
  return { clock, session, sent, closes, open, hear };
}
