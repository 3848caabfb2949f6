import { createNativeDialect } from "../../src/tunnel/native.ts";
import { encodeReset, encodeResponse, encodeResponseData } from "../../src/wire/frame.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { startSession } from "../support/session-rig.ts";
import { describeSession, type SessionRig } from "./session.ts";

const WINDOW_BYTES = 1000;
const MAX_REQUEST_BYTES = 5000;
const NOTHING = new Uint8Array(0);

function make(announced?: readonly string[]): SessionRig {
  const dialect = { ...createNativeDialect(WINDOW_BYTES), maxRequestBytes: MAX_REQUEST_BYTES };
  const offered = announced ? { exchangeKinds: announced } : {};
  const { session, clock, sent, told, confirmTimeoutMs } = startSession(dialect, new FakeClock(), offered);
  const say = (message: object): void => session.handleMessage(JSON.stringify(message));
  return {
    session,
    clock,
    told,
    windowBytes: WINDOW_BYTES,
    carriesKinds: true,
    maxRequestBytes: MAX_REQUEST_BYTES,
    confirmTimeoutMs,
    worker: {
      received: () => sent.length,
      head: (nth, headers = []) => session.handleMessage(encodeResponse(nth, { status: 200, headers }, NOTHING, false)),
      data: (nth, bytes) => session.handleMessage(encodeResponseData(nth, bytes, false)),
      end: (nth) => session.handleMessage(encodeResponseData(nth, NOTHING, true)),
      breakOff: (nth) => session.handleMessage(encodeReset(nth, "upstream_error", "it failed")),
      confirm: (nth) => session.handleMessage(encodeReset(nth, "canceled", "canceled")),
      beat: () => say({ type: "heartbeat" }),
      offer: (models) => say({ type: "models_update", models }),
      vanish: () => session.handleClosed("gone"),
    },
  };
}

describeSession("a session of the native dialect", make);
