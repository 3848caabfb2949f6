const NONE: readonly never[] = [];

/** Sets by key. Nearly all have one member, and a `Set` for each would take more memory than that member. */
export class SmallSets<V extends object> {
  readonly #members = new Map<string, V | readonly V[]>();

  of(key: string): readonly V[] {
    const found = this.#members.get(key);
    if (found === undefined) return NONE;
    return isMany(found) ? found : [found];
  }

  /** Adds a value that is not a member. */
  add(key: string, value: V): void {
    const found = this.#members.get(key);
    if (found === undefined) this.#members.set(key, value);
    else this.#members.set(key, isMany(found) ? [...found, value] : [found, value]);
  }

  /** Returns false for a value that is no member. */
  remove(key: string, value: V): boolean {
    const found = this.#members.get(key);
    if (found === value) return this.#members.delete(key);
    if (found === undefined || !isMany(found) || !found.includes(value)) return false;
    const [first, ...others] = found.filter((each) => each !== value);
    if (first) this.#members.set(key, others.length === 0 ? first : [first, ...others]);
    return true;
  }
}

function isMany<V extends object>(found: V | readonly V[]): found is readonly V[] {
  return Array.isArray(found);
}
