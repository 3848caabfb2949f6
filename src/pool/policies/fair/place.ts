import { type Counter, type CounterPlace, isLess } from "./counter.ts";
import { Heap, type Heaped } from "./heap.ts";
import type { Group, Row } from "./row.ts";

/** A counter's place in one group, and below it the places of its children, least service first. */
export class Place implements Heaped, CounterPlace {
  readonly counter: Counter;
  /** The places below that have a ticket which may be served. */
  readonly below = new Heap<Place>((a, b) => isLess(a.counter, b.counter));
  at = -1;
  readonly #group: Group;
  readonly #above: Place | undefined;
  readonly #children = new Map<Counter, Place>();
  #row: Row | undefined;
  #isHeld = false;

  constructor(counter: Counter, group: Group, above: Place | undefined) {
    this.counter = counter;
    this.#group = group;
    this.#above = above;
  }

  /** The tickets that are next here; undefined if there are none that may be served. */
  get first(): Row | undefined {
    let place: Place | undefined = this;
    while (place && place.#row === undefined) place = place.below.top;
    return place === undefined ? undefined : place.#row;
  }

  get least(): number | undefined {
    return this.below.top?.counter.service;
  }

  /**
   * Returns the rows that are next here, at most `count`, as far as their service is within `amount` of the first one's here,
   * and within `below` of it at each level below.
   */
  nearest(count: number, amount: number, below: number): readonly Row[] {
    if (this.#row) return [this.#row];
    const most = (this.least ?? 0) + amount;
    const rows: Row[] = [];
    for (const place of this.below.firsts(count, ({ counter }) => counter.service <= most))
      if (rows.length < count) rows.push(...place.nearest(count - rows.length, below, below));
    return rows;
  }

  /** Returns the place of a child's counter, which it creates if need be. */
  child(counter: Counter, isHeld: boolean): Place {
    const known = this.#children.get(counter);
    if (known) return known;
    const place = new Place(counter, this.#group, this);
    place.#isHeld = isHeld;
    counter.places.set(this.#group, place);
    this.#children.set(counter, place);
    return place;
  }

  /** Opens the place of a flow that has tickets in the group. */
  open(row: Row): void {
    this.#row = row;
    this.#settle();
  }

  /** Closes the place of a flow that has no tickets in the group any more, and each place above that was there for it alone. */
  close(): void {
    this.#row = undefined;
    this.#settle();
    let place: Place = this;
    while (place.#above && place.#children.size === 0 && !place.#row) {
      const { counter } = place;
      counter.places.delete(this.#group);
      place = place.#above;
      place.#children.delete(counter);
    }
  }

  hold(isHeld: boolean): void {
    this.#isHeld = isHeld;
    this.#settle();
  }

  moved(): void {
    if (this.at >= 0) this.#above?.below.update(this);
  }

  /** Enters the heap of the place above if there is something to serve here, else leaves it; and so on upwards. */
  #settle(): void {
    const above = this.#above;
    const isOpen = !this.#isHeld && (this.#row !== undefined || this.below.size > 0);
    if (!above || isOpen === this.at >= 0) return;
    if (isOpen) above.below.add(this);
    else above.below.remove(this);
    above.#settle();
  }
}
