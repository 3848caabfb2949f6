import type { KeyLimits } from "../keys/key-terms.ts";
import { Allowances, type AllowancesOptions } from "./allowances.ts";
import { KeyCharge } from "./charge.ts";

/** Opens the charges of requests, and tells the queues that hold requests back when a key may use more or less than before. */
export class KeyCharges {
  readonly #options: AllowancesOptions;
  readonly #allowances: Allowances;
  readonly #listeners: ((keyId: string) => void)[] = [];
  readonly #tell = (keyId: string): void => {
    for (const listener of this.#listeners) listener(keyId);
  };

  readonly #onUse: ((keyId: string) => void) | undefined;

  constructor(options: AllowancesOptions) {
    const { elsewhere } = options;
    this.#options = options;
    this.#allowances = new Allowances(options);
    this.#onUse = elsewhere && ((keyId) => elsewhere.changed(keyId));
    elsewhere?.tell({
      ids: () => this.#allowances.ids(),
      holding: (keyId) => this.#allowances.of(keyId)?.holding(),
      spent: (keyId) => this.#allowances.of(keyId)?.spent() ?? [],
      onChange: this.#tell,
    });
  }

  /** The limits of all keys, with what counts towards them. */
  get allowances(): Pick<Allowances, "of"> {
    return this.#allowances;
  }

  /** Calls a listener after each change of what a key has used or may use. */
  onChange(listener: (keyId: string) => void): void {
    this.#listeners.push(listener);
  }

  /** Takes over the limits of a key. Requests that former limits held back may continue. */
  set(keyId: string, limits: KeyLimits): void {
    this.#allowances.set(keyId, limits);
    this.#onUse?.(keyId);
    this.#tell(keyId);
  }

  /** Forgets a key that no longer exists. */
  delete(keyId: string): void {
    this.set(keyId, {});
  }

  /** Opens the charge of a request; undefined for a caller whose key has no limits, for which `needs` is not called. */
  open(
    keyId: string | undefined,
    needs: () => { readonly inputTokens: number; readonly maxOutput: number | undefined },
  ): KeyCharge | undefined {
    const allowance = keyId === undefined ? undefined : this.#allowances.of(keyId);
    if (keyId === undefined || !allowance) return undefined;
    const { inputTokens, maxOutput } = needs();
    return new KeyCharge({
      keyId,
      allowance,
      inputTokens,
      expected: allowance.expect({ inputTokens, maxOutput }),
      calendar: this.#allowances.calendar,
      clock: this.#options.clock,
      onChange: this.#tell,
      onUse: this.#onUse,
    });
  }
}
