/** A member of one ranking: a seat with room for one model. */
export interface Ranked<T> {
  readonly value: T;
  load: number;
  prev: Ranked<T> | undefined;
  next: Ranked<T> | undefined;
  level: Level<T> | undefined;
}

/** The members with one load. The member that has had it for longest is first. */
interface Level<T> {
  readonly load: number;
  first: Ranked<T> | undefined;
  last: Ranked<T> | undefined;
}

export function createRanked<T>(value: T): Ranked<T> {
  return { value, load: 0, prev: undefined, next: undefined, level: undefined };
}

/**
 * Members ordered by load, ties to the one that has waited longest at its load. Placing, removing and choosing cost
 * the number of distinct loads (capacities are small numbers, so a handful), never the number of members: choosing
 * among 5,000 sessions costs what it costs among 50.
 */
export class Ranking<T> {
  /** Lowest load first; no level is empty. */
  readonly #levels: Level<T>[] = [];

  /** Puts a member behind all others of its load. */
  place(member: Ranked<T>, load: number): void {
    this.remove(member);
    const level = this.#levelFor(load);
    member.load = load;
    member.level = level;
    member.prev = level.last;
    if (level.last) level.last.next = member;
    else level.first = member;
    level.last = member;
  }

  remove(member: Ranked<T>): void {
    const { level, prev, next } = member;
    if (!level) return;
    if (prev) prev.next = next;
    else level.first = next;
    if (next) next.prev = prev;
    else level.last = prev;
    member.level = undefined;
    member.prev = undefined;
    member.next = undefined;
    if (!level.first) this.#levels.splice(this.#indexOf(level.load), 1);
  }

  /** Finds the least loaded member that `accepts` takes. Without it, only one member is looked at. */
  first(accepts?: (value: T) => boolean): T | undefined {
    for (const level of this.#levels) {
      for (let member = level.first; member; member = member.next) {
        if (!accepts || accepts(member.value)) return member.value;
      }
    }
    return undefined;
  }

  #levelFor(load: number): Level<T> {
    const at = this.#indexOf(load);
    const found = this.#levels[at];
    if (found?.load === load) return found;
    const level: Level<T> = { load, first: undefined, last: undefined };
    this.#levels.splice(at, 0, level);
    return level;
  }

  /** Finds the index at which the level of this load is, or would have to be inserted. */
  #indexOf(load: number): number {
    let low = 0;
    let high = this.#levels.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const level = this.#levels[middle];
      if (level && level.load < load) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
