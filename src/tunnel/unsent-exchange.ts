import type { Clock } from "../system/deps.ts";
import { Inflow } from "../wire/inflow.ts";
import type { Exchange, ExchangeEnd, ExchangeRequest, ExchangeSink } from "./exchange.ts";

/**
 * Opens an exchange of which the worker will see nothing: it ends as `end` says, once the call that opened it has returned.
 */
export function openUnsent(request: ExchangeRequest, sink: ExchangeSink, end: ExchangeEnd, clock: Clock): Exchange {
  let hasEnded = false;
  const finish = (how: ExchangeEnd): void => {
    if (hasEnded) return;
    hasEnded = true;
    // If the source fails while it is being given up, that failure no longer matters.
    if (request.body instanceof ReadableStream) request.body.cancel(how.kind).catch(() => {});
    else if (request.body instanceof Inflow) request.body.drop();
    sink.onEnd(how);
    sink.onSettled();
  };
  queueMicrotask(() => finish(end));
  return {
    consumed: () => {},
    cancel: () => finish({ kind: "canceled" }),
    lastProgressAt: clock.elapsed(),
    isWaitingForUs: false,
  };
}
