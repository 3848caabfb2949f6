import { MAX_EXCHANGE_ID } from "../wire/frame.ts";

/** The ids of one link's exchanges: they increase, and none is given twice. */
export class ExchangeIds {
  #next: number;

  /** `first` is the first id to give. */
  constructor(first = 1) {
    this.#next = first;
  }

  /** All ids have been given: the link can open no more exchanges. */
  get areUsedUp(): boolean {
    return this.#next > MAX_EXCHANGE_ID;
  }

  give(): number {
    const id = this.#next;
    this.#next += 1;
    return id;
  }

  /** Returns whether an exchange with this id has ever been opened on the link. */
  wasGiven(id: number): boolean {
    return id > 0 && id < this.#next;
  }
}
