import { createLegacyDialect } from "../../src/models/legacy-worker.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { legacyLimits } from "../support/legacy-limits.ts";
import { startSession } from "../support/session-rig.ts";
import { describeSession, type SessionRig } from "./session.ts";

const HOLD_BYTES = 1000;
const MAX_REQUEST_BYTES = 5000;

function make(announced?: readonly string[]): SessionRig {
  const dialect = { ...createLegacyDialect(legacyLimits(HOLD_BYTES)), maxRequestBytes: MAX_REQUEST_BYTES };
  const offered = announced ? { exchangeKinds: announced } : {};
  const { session, clock, sent, told, confirmTimeoutMs } = startSession(dialect, new FakeClock(), offered);
  const say = (type: string, nth: number | undefined, more: object = {}): void =>
    session.handleMessage(JSON.stringify({ type, ...(nth === undefined ? {} : { request_id: String(nth) }), ...more }));
  const end = (nth: number, code: string): void =>
    say("http_proxy_response_end", nth, { error: { code, message: "why" } });
  return {
    session,
    clock,
    told,
    windowBytes: HOLD_BYTES,
    carriesKinds: false,
    maxRequestBytes: MAX_REQUEST_BYTES,
    confirmTimeoutMs,
    worker: {
      received: () => sent.length,
      head: (nth, headers = []) =>
        say("http_proxy_response_headers", nth, { status: 200, headers: Object.fromEntries(headers) }),
      data: (nth, bytes) => say("http_proxy_response_chunk", nth, { data: Buffer.from(bytes).toString("base64") }),
      end: (nth) => say("http_proxy_response_end", nth),
      breakOff: (nth) => end(nth, "upstream_error"),
      confirm: (nth) => end(nth, "canceled"),
      beat: () => say("heartbeat", undefined),
      offer: (models) => say("models_update", undefined, { models }),
      vanish: () => session.handleClosed("gone"),
    },
  };
}

describeSession("a session of the legacy dialect", make);
