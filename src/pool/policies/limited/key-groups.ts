import type { Charge } from "../../charge.ts";
import { KeyGroup } from "./key-group.ts";
import type { WaitingKey } from "./waiting-key.ts";

/** The groups of keys that share limits, by the names that their charges have for them. A group without keys is forgotten. */
export class KeyGroups {
  readonly #groups = new Map<string, KeyGroup>();

  get(id: string): KeyGroup | undefined {
    return this.#groups.get(id);
  }

  of({ group }: Pick<Charge, "group">): KeyGroup | undefined {
    return group === undefined ? undefined : this.#groups.get(group);
  }

  /** Adds a key to the group that its charge names, if it names one. */
  enter(key: WaitingKey): void {
    const { group: id } = key.charge;
    key.group = id;
    if (id === undefined) return;
    const group = this.#groups.get(id) ?? new KeyGroup();
    this.#groups.set(id, group);
    group.keys.add(key);
  }

  /**
   * Moves a key to the group that its charge names now. Returns the keys that are left in the one before; undefined for a key that
   * has stayed where it was.
   */
  follow(key: WaitingKey): readonly WaitingKey[] | undefined {
    if (key.group === key.charge.group) return undefined;
    const left = this.leave(key);
    this.enter(key);
    return left;
  }

  /** Removes a key from its group. Returns the keys that are left in it. */
  leave(key: WaitingKey): readonly WaitingKey[] {
    const { group: id } = key;
    const group = this.of(key);
    group?.keys.delete(key);
    key.group = undefined;
    if (id !== undefined && group?.keys.size === 0) this.#groups.delete(id);
    return [...(group?.keys ?? [])];
  }

  /** Returns a key, and those that share limits with it. */
  sharersOf(key: WaitingKey): readonly WaitingKey[] {
    const group = this.of(key);
    return group ? [...group.keys] : [key];
  }

  /** Puts keys in their turn: one key, or all of one group, of which those with pending tickets are returned. */
  inTurn(keys: readonly WaitingKey[]): readonly WaitingKey[] {
    // The first of them may just have left.
    const group = keys.map((key) => this.of(key)).find((each) => each !== undefined);
    return group ? group.inTurn() : keys;
  }
}
