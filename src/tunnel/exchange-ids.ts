import { MAX_EXCHANGE_ID } from "../wire/frame.ts";

/** The ids of one link's exchanges: they increase, and none is given twice. */
export class ExchangeIds {
  readonly #first: number;
  readonly #step: number;
  #next: number;

  /** `first` is the first id to give. Where both ends of a link open exchanges, each has every other id: a `step` of 2. */
  constructor(first = 1, step = 1) {
    this.#first = first;
    this.#step = step;
    this.#next = first;
  }

  /** All ids have been given: the link can open no more exchanges. */
  get areUsedUp(): boolean {
    return this.#next > MAX_EXCHANGE_ID;
  }

  give(): number {
    const id = this.#next;
    this.#next += this.#step;
    return id;
  }

  /** Returns whether an exchange with this id has ever been opened on the link. */
  wasGiven(id: number): boolean {
    return id >= this.#first && id < this.#next && (id - this.#first) % this.#step === 0;
  }
}
