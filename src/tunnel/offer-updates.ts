import type { ModelInfo } from "../wire/model-info.ts";
import { batchSizeOf, type Control, type ReportedStatus } from "../wire/worker-messages.ts";
import type { Offer } from "./session.ts";

/** A control message that changes a worker's offer. */
type Update = Exclude<Control, { readonly type: "heartbeat" }>;

/** Returns a worker's offer after a message: what the message leaves out stays as it was. */
export function offerAfter(was: Offer, update: Update): Offer {
  if (update.type === "models_update") return withModels(was, update.models, update);
  return {
    ...(update.models ? withModels(was, update.models, update) : withLoaded(was, update.loaded)),
    maxConcurrency: update.max_concurrency ?? was.maxConcurrency,
    embeddingBatchSize: batchSizeOf(update) ?? was.embeddingBatchSize,
    status: update.status ? toOfferStatus(update.status) : was.status,
    reason: update.reason ?? undefined,
  };
}

/** Returns an offer with the models that are loaded. Models that are not offered are left out; nothing said changes nothing. */
export function withLoaded(offer: Offer, loaded: readonly string[] | null | undefined): Offer {
  if (!loaded) return offer;
  const offered = new Set(offer.models);
  return { ...offer, loaded: loaded.filter((model) => offered.has(model)) };
}

/** Returns an offer of other models. What was said of the former ones no longer counts. */
function withModels(
  { modelInfo: _info, loaded: _loaded, ...offer }: Offer,
  models: readonly string[],
  said: { readonly model_info?: readonly ModelInfo[] | null; readonly loaded?: readonly string[] | null },
): Offer {
  const info = said.model_info;
  return withLoaded({ ...offer, models, ...(info ? { modelInfo: info } : {}) }, said.loaded);
}

/** Maps what a worker reports. The server counts jobs itself, so `idle` and `working` are both just ready. */
function toOfferStatus(reported: ReportedStatus): Offer["status"] {
  return reported === "draining" || reported === "not_ready" ? reported : "ready";
}
