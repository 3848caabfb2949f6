import { isDoctorModel } from "../wire/names.ts";
import { mayServe, type WorkerTerms } from "../wire/worker-terms.ts";
import { type Offer, UNBOUNDED } from "./session.ts";
import type { SlotShare } from "./slot-shares.ts";

/** Why a worker that is ready gets no jobs. */
const NO_SLOTS = "the other workers with this key have all the slots that it allows";

/**
 * Returns what a worker may serve of what it offers; the same offer without terms. `share` divides the slots of a key that is bound
 * to one worker among its sessions.
 */
export function limitedOffer(
  said: Offer,
  terms: WorkerTerms | undefined,
  share?: Pick<SlotShare, "take"> | undefined,
): Offer {
  if (!terms) return said;
  const { models, loaded } = said;
  const { tenants } = terms;
  const maxConcurrency = slotsOf(said, terms, share);
  const isWithout = maxConcurrency === 0 && said.maxConcurrency > 0 && said.status === "ready";
  const isAllowed = (model: string): boolean => mayServe(terms, model);
  const refused = models.filter((model) => !isAllowed(model));
  return {
    ...said,
    maxConcurrency,
    ...(isWithout && { status: "not_ready" as const, reason: NO_SLOTS }),
    ...(tenants && { tenants: new Set(tenants) }),
    ...(refused.length > 0 && {
      models: models.filter(isAllowed),
      refusedModels: refused,
      ...(loaded && { loaded: loaded.filter(isAllowed) }),
    }),
  };
}

/**
 * Returns how many slots a worker may have. Those of a relay, which declares no number, of the doctor, and of a worker that takes no
 * jobs now leave the shares of others as they are.
 */
function slotsOf(
  { models, maxConcurrency, status }: Offer,
  { maxSlots = UNBOUNDED, ids }: WorkerTerms,
  share: Pick<SlotShare, "take"> | undefined,
): number {
  const own = Math.min(maxConcurrency, maxSlots);
  if (!share) return own;
  const isDoctor = models.length > 0 && models.every(isDoctorModel);
  const isCounted = ids !== undefined && maxConcurrency !== UNBOUNDED && status === "ready" && !isDoctor;
  if (isCounted) return share.take(maxConcurrency, maxSlots);
  share.take(0, 0);
  return own;
}
