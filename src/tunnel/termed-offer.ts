import type { WorkerTerms } from "../wire/worker-terms.ts";
import type { Dialect } from "./dialect.ts";
import { limitedOffer } from "./limited-offer.ts";
import type { Offer } from "./session.ts";
import type { SlotShare } from "./slot-shares.ts";

export interface TermedOfferOptions {
  readonly offer: Offer;
  /** What the worker's key allows; undefined for everything. */
  readonly terms: WorkerTerms | undefined;
  /** Adds the worker to those that share the slots of the same key; undefined: it shares them with none. */
  readonly shareSlots: ((onMore: () => void) => SlotShare) | undefined;
  /** Called when the worker may have more slots than before. */
  readonly onMore: () => void;
}

/** What a worker offers, what it may serve of that by the terms of its key, and what it has been told about them. */
export class TermedOffer {
  readonly #share: SlotShare | undefined;
  #said: Offer;
  #current: Offer;
  #terms: WorkerTerms | undefined;
  /** The message that the worker has got about its terms last; undefined for none. */
  #told: string | undefined;

  constructor({ offer, terms, shareSlots, onMore }: TermedOfferOptions) {
    this.#said = offer;
    this.#terms = terms;
    this.#share = shareSlots?.(onMore);
    this.#current = limitedOffer(offer, terms, this.#share);
  }

  /** What the worker says that it offers. */
  get said(): Offer {
    return this.#said;
  }

  /** What it may serve of that. */
  get current(): Offer {
    return this.#current;
  }

  get hasTerms(): boolean {
    return this.#terms !== undefined;
  }

  setTerms(terms: WorkerTerms): void {
    this.#terms = terms;
  }

  /** Takes over what the worker offers now. */
  say(offer: Offer): void {
    this.#said = offer;
    this.#current = limitedOffer(offer, this.#terms, this.#share);
  }

  /** Returns the message about what the key allows; undefined if that is everything, or the same as before. */
  news(dialect: Dialect): string | undefined {
    const { models, tenants, maxSlots } = this.#terms ?? {};
    const terms = { models, tenants, max_slots: maxSlots, refused_models: this.#current.refusedModels };
    const isLimited = Object.values(terms).some((each) => each !== undefined);
    if (!isLimited && this.#told === undefined) return undefined;
    const message = dialect.termsMessage?.(terms);
    if (message === this.#told) return undefined;
    this.#told = message ?? this.#told;
    return message;
  }

  /** Gives the worker's slots back to those that share them. */
  leave(): void {
    this.#share?.leave();
  }
}
