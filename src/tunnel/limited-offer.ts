import { mayServe, type WorkerTerms } from "../wire/worker-terms.ts";
import type { Offer } from "./session.ts";

/** Returns what a worker may serve of what it offers; the same offer without terms. */
export function limitedOffer(said: Offer, terms: WorkerTerms | undefined): Offer {
  if (!terms) return said;
  const { models, maxConcurrency, loaded } = said;
  const { maxSlots = Number.POSITIVE_INFINITY, tenants } = terms;
  const isAllowed = (model: string): boolean => mayServe(terms, model);
  const refused = models.filter((model) => !isAllowed(model));
  return {
    ...said,
    maxConcurrency: Math.min(maxConcurrency, maxSlots),
    ...(tenants && { tenants: new Set(tenants) }),
    ...(refused.length > 0 && {
      models: models.filter(isAllowed),
      refusedModels: refused,
      ...(loaded && { loaded: loaded.filter(isAllowed) }),
    }),
  };
}
