import type { Fault } from "../errors.ts";
import type { KeyLimits } from "../keys/key-terms.ts";
import { Allowances, type AllowancesOptions } from "./allowances.ts";
import { KeyCharge } from "./charge.ts";
import { type ChargePart, type ChargeTerms, type KeyProgress, partsOf } from "./charge-terms.ts";
import { A_KEY, tenantId } from "./holder.ts";
import { limitFault } from "./limit-faults.ts";

/** A caller, as far as limits depend on it. */
export interface Charged {
  readonly keyId?: string | undefined;
  readonly tenant: string;
}

/**
 * Opens the charges of requests, and tells the queues that hold requests back when a key or a tenant may use more or less than
 * before.
 */
export class KeyCharges {
  readonly #options: AllowancesOptions;
  readonly #allowances: Allowances;
  /** The tenants that have limits, by their names. */
  readonly #tenants = new Map<string, ChargePart>();
  /** What the latest requests of keys had in common, by the ids of the keys. Forgotten with each change of their limits. */
  readonly #terms = new Map<string, ChargeTerms>();
  /** The keys whose requests are refused at their limits, and at those of their tenant. */
  readonly #refusing = new Set<string>();
  /** By the ids of the keys. */
  readonly #progress = new Map<string, KeyProgress>();
  readonly #listeners: ((id: string, keyId: string) => void)[] = [];
  readonly #tell = (id: string, keyId = id): void => {
    for (const listener of this.#listeners) listener(id, keyId);
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

  /** The limits of all keys and tenants, with what counts towards them. */
  get allowances(): Pick<Allowances, "of"> {
    return this.#allowances;
  }

  /** Calls a listener after each change of what a key, or the keys of a tenant, have used or may use: see `ChargeChanges`. */
  onChange(listener: (id: string, keyId: string) => void): void {
    this.#listeners.push(listener);
  }

  /**
   * Takes over the limits of a key, and its tenant, which stays the same unless given. Requests that former limits held back may
   * continue, and those that wait follow the key to the limits of its tenant.
   */
  set(keyId: string, limits: KeyLimits, tenant?: string): void {
    this.#allowances.set(keyId, limits);
    if (limits.onLimit === "refuse") this.#refusing.add(keyId);
    else this.#refusing.delete(keyId);
    this.#terms.delete(keyId);
    const left = this.#change(keyId, tenant);
    this.#onUse?.(keyId);
    this.#tell(keyId);
    for (const group of left) this.#tell(group, keyId);
  }

  /** Forgets a key that no longer exists. */
  delete(keyId: string): void {
    this.set(keyId, {});
    this.#progress.delete(keyId);
  }

  /** Takes over the limits that all keys of a tenant share. They hold for requests that arrive from now on. */
  setTenant(name: string, limits: KeyLimits): void {
    const id = tenantId(name);
    this.#allowances.set(id, limits);
    const allowance = this.#allowances.of(id);
    if (allowance) this.#tenants.set(name, { id, holder: { kind: "tenant", name }, allowance });
    else this.#tenants.delete(name);
    this.#terms.clear();
    this.#onUse?.(id);
    this.#tell(id);
  }

  /**
   * Opens the charge of a request; undefined for a caller without a made key, or if neither the key nor its tenant has limits.
   * `needs` is not called then.
   */
  open(
    caller: Charged,
    needs: () => { readonly inputTokens: number; readonly maxOutput: number | undefined },
  ): KeyCharge | undefined {
    const terms = this.#termsOf(caller);
    const part = terms?.own ?? terms?.shared;
    if (!terms || !part) return undefined;
    const needed = needs();
    return new KeyCharge(terms, needed.inputTokens, part.allowance.expectation.of(needed));
  }

  /**
   * Counts a request that is no job towards the limits per minute of its key and tenant. Returns the error for one that does not
   * fit, which then does not count.
   */
  takeRequest(caller: Charged): Fault | undefined {
    const parts = partsOf(this.#termsOf(caller) ?? NO_LIMITS);
    for (const { allowance, holder } of parts) {
      const held = allowance.heldAsRequest();
      if (held) return limitFault(held, this.#allowances.calendar, holder);
    }
    for (const { id, allowance } of parts) {
      allowance.countRequest();
      this.#onUse?.(id);
    }
    return undefined;
  }

  /** Lets the requests of a key follow it to other limits. Returns the names that its former tenants have for queues. */
  #change(keyId: string, tenant: string | undefined): ReadonlySet<string> {
    const left = new Set<string>();
    const progress = this.#progress.get(keyId);
    if (!progress) return left;
    const before = [...progress.charges].map((charge) => ({ charge, group: charge.group }));
    progress.changes += 1;
    progress.latest = tenant === undefined ? undefined : this.#termsFor(keyId, tenant);
    for (const { charge, group } of before) {
      charge.follow(this.#termsFor(keyId, tenant ?? charge.tenant));
      if (group !== undefined && group !== charge.group) left.add(group);
    }
    return left;
  }

  /** Returns undefined for a caller without a made key, or if neither the key nor its tenant has limits. */
  #termsOf({ keyId, tenant }: Charged): ChargeTerms | undefined {
    if (keyId === undefined) return undefined;
    const known = this.#terms.get(keyId);
    if (known?.tenant === tenant) return known;
    return this.#allowances.of(keyId) || this.#tenants.has(tenant) ? this.#termsFor(keyId, tenant) : undefined;
  }

  #termsFor(keyId: string, tenant: string): ChargeTerms {
    const known = this.#terms.get(keyId);
    if (known?.tenant === tenant) return known;
    const progress = this.#progress.get(keyId) ?? { charges: new Set(), changes: 0, latest: undefined };
    this.#progress.set(keyId, progress);
    const allowance = this.#allowances.of(keyId);
    const shared = this.#tenants.get(tenant);
    const terms = {
      keyId,
      tenant,
      own: allowance && { id: keyId, holder: A_KEY, allowance },
      shared,
      waits: !this.#refusing.has(keyId),
      progress,
      calendar: this.#allowances.calendar,
      clock: this.#options.clock,
      onChange: this.#tell,
      onUse: this.#onUse,
    };
    this.#terms.set(keyId, terms);
    return terms;
  }
}

const NO_LIMITS = { own: undefined, shared: undefined };
