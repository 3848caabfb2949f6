/** A member of a heap. It is in one heap at most. */
export interface Heaped {
  /** Its index in the heap; -1 while it is in none. Only the heap writes it. */
  at: number;
}

/**
 * A binary heap whose members may move and leave. `before` orders them and may read what changes over time, if `update` is
 * called for each member that has changed. Every change costs at most two comparisons for each level of the heap.
 */
export class Heap<T extends Heaped> {
  readonly #before: (a: T, b: T) => boolean;
  readonly #members: T[] = [];

  constructor(before: (a: T, b: T) => boolean) {
    this.#before = before;
  }

  get size(): number {
    return this.#members.length;
  }

  /** The first member; undefined if there is none. */
  get top(): T | undefined {
    return this.#members[0];
  }

  /**
   * Returns the first members in their order, at most `count`, up to the first one that `isNear` does not take. It costs
   * about the square of `count`, however many members there are.
   */
  firsts(count: number, isNear: (member: T) => boolean): T[] {
    const firsts: T[] = [];
    const next = this.#members.slice(0, 1);
    while (firsts.length < count) {
      let least = next[0];
      for (const each of next) if (least && this.#before(each, least)) least = each;
      if (!least || !isNear(least)) break;
      firsts.push(least);
      const { at } = least;
      next.splice(next.indexOf(least), 1, ...this.#members.slice(2 * at + 1, 2 * at + 3));
    }
    return firsts;
  }

  add(member: T): void {
    this.#members.push(member);
    member.at = this.#members.length - 1;
    this.#rise(member);
  }

  remove(member: T): void {
    const { at } = member;
    const last = this.#members.pop();
    member.at = -1;
    if (!last || last === member) return;
    this.#put(last, at);
    this.update(last);
  }

  /** Moves a member to the place that its current state gives it. */
  update(member: T): void {
    const { at } = member;
    this.#rise(member);
    if (member.at === at) this.#sink(member);
  }

  #rise(member: T): void {
    let { at } = member;
    while (at > 0) {
      const above = (at - 1) >>> 1;
      const parent = this.#members[above];
      if (!parent || !this.#before(member, parent)) break;
      this.#put(parent, at);
      at = above;
    }
    this.#put(member, at);
  }

  #sink(member: T): void {
    let { at } = member;
    for (;;) {
      const left = this.#members[2 * at + 1];
      if (!left) break;
      const right = this.#members[2 * at + 2];
      const first = right && this.#before(right, left) ? right : left;
      if (!this.#before(first, member)) break;
      const below = first.at;
      this.#put(first, at);
      at = below;
    }
    this.#put(member, at);
  }

  #put(member: T, at: number): void {
    this.#members[at] = member;
    member.at = at;
  }
}
