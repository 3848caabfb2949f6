import { FakeClock } from "../support/fake-clock.ts";
import { CONFIRM_TIMEOUT_MS, MAX_REQUEST_BYTES, ScriptedSession, WINDOW_BYTES } from "../support/scripted-session.ts";
import { describeSession, type SessionRig } from "./session.ts";

function make(announced?: readonly string[]): SessionRig {
  const clock = new FakeClock();
  const told: string[] = [];
  const session = new ScriptedSession("w", ["m"], 9, clock);
  if (announced) session.changeOffer({ exchangeKinds: announced });
  session.host = {
    onOfferChange: () => told.push("offer"),
    onClosed: (_session, reason) => told.push(`closed ${reason}`),
  };
  return {
    session,
    clock,
    told,
    windowBytes: WINDOW_BYTES,
    carriesKinds: true,
    maxRequestBytes: MAX_REQUEST_BYTES,
    confirmTimeoutMs: CONFIRM_TIMEOUT_MS,
    worker: {
      received: () => session.exchanges.length,
      head: (nth, headers = []) => session.exchanges[nth - 1]?.head({ status: 200, headers }),
      data: (nth, bytes) => session.exchanges[nth - 1]?.data(bytes),
      end: (nth) => session.exchanges[nth - 1]?.end(),
      breakOff: (nth) => session.exchanges[nth - 1]?.breakOff("upstream_error"),
      confirm: (nth) => session.exchanges[nth - 1]?.confirm(),
      beat: () => session.beat(),
      offer: (models) => session.changeOffer({ models }),
      vanish: () => session.vanish(),
    },
  };
}

describeSession("the scripted session of tests", make);
