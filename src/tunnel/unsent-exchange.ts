import type { Clock } from "../system/deps.ts";
import { declaredLength } from "../wire/declared-length.ts";
import { Inflow } from "../wire/inflow.ts";
import { HTTP_KIND } from "../wire/names.ts";
import type { Exchange, ExchangeEnd, ExchangeRequest, ExchangeSink } from "./exchange.ts";
import { type Offer, takesKind } from "./session.ts";

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

/**
 * Returns why a request cannot be sent at all; undefined for nearly every request. `isOpen` is whether the session can open
 * exchanges, and `maxBytes` the longest body that its dialect carries, infinite for one without a limit.
 */
export function obstacleTo(
  { head, body }: ExchangeRequest,
  isOpen: boolean,
  offer: Offer,
  maxBytes: number,
): ExchangeEnd | undefined {
  if (!isOpen) return { kind: "lost", reason: "the session had ended" };
  const exchangeKind = head.kind ?? HTTP_KIND;
  if (!takesKind(offer, exchangeKind)) return { kind: "unsupported", exchangeKind };
  // A stream that declares to be too large need not be read first.
  if (maxBytes !== Number.POSITIVE_INFINITY) {
    const bytes = body instanceof Uint8Array ? body.length : (declaredLength(head.headers) ?? 0);
    if (bytes > maxBytes) return { kind: "too_large", maxBytes };
  }
  return undefined;
}
