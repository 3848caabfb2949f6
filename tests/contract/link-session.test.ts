import { Batch, eachFrame } from "../../src/cluster/links/batch.ts";
import { createLinkDialect } from "../../src/cluster/links/link-dialect.ts";
import { decodeLinkFrame } from "../../src/wire/link-frame.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { startSession } from "../support/session-rig.ts";
import { frameWorker } from "./frame-worker.ts";
import { describeSession, type SessionRig } from "./session.ts";

const WINDOW_BYTES = 1000;
const MAX_REQUEST_BYTES = 5000;

/** A session that stands for a peer: what it sends goes into a batch, and frames reach it one by one. */
function make(announced?: readonly string[]): SessionRig {
  let frames = 0;
  const batch = new Batch((message) => {
    eachFrame(message, () => {
      frames += 1;
      return true;
    });
  });
  const dialect = { ...createLinkDialect(batch, WINDOW_BYTES), maxRequestBytes: MAX_REQUEST_BYTES };
  const offered = announced ? { exchangeKinds: announced } : {};
  const { session, clock, told, confirmTimeoutMs } = startSession(dialect, new FakeClock(), offered);
  const hear = (bytes: Uint8Array): void => {
    const frame = decodeLinkFrame(bytes);
    session.lastHeardAt = clock.elapsed();
    if (frame.type === "response" || frame.type === "response_data" || frame.type === "reset") session.receive(frame);
  };
  return {
    session,
    clock,
    told,
    windowBytes: WINDOW_BYTES,
    carriesKinds: true,
    maxRequestBytes: MAX_REQUEST_BYTES,
    confirmTimeoutMs,
    worker: {
      received() {
        batch.flush();
        return frames;
      },
      ...frameWorker(hear),
      beat() {
        session.lastHeardAt = clock.elapsed();
      },
      // A peer tells what it serves on the bus; its session only has to take a change in order.
      offer: (models) => session.receive({ type: "control", control: { type: "models_update", models: [...models] } }),
      vanish: () => session.handleClosed("gone"),
    },
  };
}

describeSession("a session that stands for another server", make);
