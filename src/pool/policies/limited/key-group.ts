import type { Caller } from "../../../auth/caller.ts";
import type { Hold } from "../../charge.ts";
import type { WaitingKey } from "./waiting-key.ts";

/**
 * Keys that share limits and have waiting tickets. They are admitted by turns: with each ticket, the turn of a key moves back by
 * 1 divided by its weight, whether or not its tickets wait all the time. A key that begins to wait comes after those that were
 * admitted before, so idling earns no credit.
 */
export class KeyGroup {
  readonly keys = new Set<WaitingKey>();
  /** The turn of the key that was admitted last. */
  #level = 0;
  /** The next turn of each key that was admitted. */
  readonly #turns = new Map<string, number>();

  /** Returns how many tickets are admitted before a newcomer of a key that has `own` pending ones, as far as turns tell. */
  aheadOf({ name, weight }: Pick<Caller, "name" | "weight">, own: number): number {
    let ahead = own;
    for (const { caller, pending } of this.keys)
      if (caller.name !== name) ahead += Math.min(pending.length, Math.ceil(((own + 1) * caller.weight) / weight));
    return ahead;
  }

  /** Notes that a ticket of a key was admitted. */
  admit(key: WaitingKey): void {
    const turn = this.#turnOf(key);
    this.#level = Math.max(this.#level, turn);
    this.#turns.set(key.charge.keyId, turn + 1 / key.caller.weight);
  }

  /** Returns the keys that have pending tickets, in their turn. */
  inTurn(): readonly WaitingKey[] {
    const waiting = [...this.keys].filter(({ pending }) => pending.length > 0);
    return waiting.sort((a, b) => this.#turnOf(a) - this.#turnOf(b) || numberOf(a) - numberOf(b));
  }

  /** Returns the shared limit at which a key waits whose turn is before that of another one; undefined if there is none. */
  holdBefore(keyId: string): Hold | undefined {
    for (const { charge, pending } of this.inTurn()) {
      if (charge.keyId === keyId) return undefined;
      const hold = pending[0]?.charge?.admissionHold();
      if (hold?.isShared) return hold;
    }
    return undefined;
  }

  #turnOf({ charge }: WaitingKey): number {
    return Math.max(this.#turns.get(charge.keyId) ?? 0, this.#level);
  }
}

function numberOf({ pending }: WaitingKey): number {
  return pending[0]?.number ?? 0;
}
