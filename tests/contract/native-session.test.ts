import { createNativeDialect } from "../../src/tunnel/native.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { startSession } from "../support/session-rig.ts";
import { frameWorker } from "./frame-worker.ts";
import { describeSession, type SessionRig } from "./session.ts";

const WINDOW_BYTES = 1000;
const MAX_REQUEST_BYTES = 5000;

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
      ...frameWorker((bytes) => session.handleMessage(bytes)),
      beat: () => say({ type: "heartbeat" }),
      offer: (models) => say({ type: "models_update", models }),
      vanish: () => session.handleClosed("gone"),
    },
  };
}

describeSession("a session of the native dialect", make);
