import type { KeyLimits } from "../keys/key-terms.ts";
import type { Clock } from "../system/deps.ts";
import { Allowance } from "./allowance.ts";
import { Calendar } from "./calendar.ts";
import type { KeysElsewhere } from "./elsewhere.ts";
import type { LimitName, Resource } from "./limit-names.ts";

export interface AllowancesOptions {
  readonly clock: Pick<Clock, "now" | "elapsed">;
  /** Returns what a key has used since a time, written or not. Asked once for each budget whose window had begun before. */
  readonly usedSince: (keyId: string, resource: Resource, at: number) => number;
  /** Returns the part of that which was used before the server started. */
  readonly usedBefore?: ((keyId: string, resource: Resource, at: number) => number) | undefined;
  /** What keys hold and use at other servers; undefined for a server that is the only one. */
  readonly elsewhere?: KeysElsewhere | undefined;
}

/**
 * The allowances of the keys that have limits. Other keys have none, and cost nothing here. Most of 10,000 keys are idle, so an
 * allowance is made when somebody asks for it first.
 */
export class Allowances {
  readonly #options: AllowancesOptions;
  readonly #limits = new Map<string, KeyLimits>();
  readonly #byKey = new Map<string, Allowance>();
  /** Those whose limits were removed while requests were in progress, which would count again under new limits. */
  readonly #former = new Map<string, Allowance>();
  /** Shared by all keys, because it remembers the windows of each zone. */
  readonly calendar = new Calendar();

  constructor(options: AllowancesOptions) {
    this.#options = options;
  }

  /** Returns the allowance of a key; undefined if it has no limits. */
  of(keyId: string): Allowance | undefined {
    const known = this.#byKey.get(keyId);
    if (known) return known;
    const limits = this.#limits.get(keyId);
    return limits && this.#make(keyId, limits);
  }

  /** Returns the ids of the keys that have limits. */
  ids(): Iterable<string> {
    return this.#limits.keys();
  }

  /** Takes over the limits of a key that was made, changed or loaded. What was counted under former limits still counts. */
  set(keyId: string, limits: KeyLimits): void {
    for (const [id, { isInUse }] of this.#former) if (!isInUse) this.#former.delete(id);
    const allowance = this.#byKey.get(keyId) ?? this.#former.get(keyId);
    this.#former.delete(keyId);
    allowance?.update(limits);
    if (!hasLimits(limits)) {
      this.delete(keyId);
      // Running requests end in the allowance that they began in, and it no longer holds any back.
      if (allowance?.isInUse) this.#former.set(keyId, allowance);
      return;
    }
    this.#limits.set(keyId, limits);
    if (allowance) this.#byKey.set(keyId, allowance);
  }

  /** Forgets a key that no longer exists. */
  delete(keyId: string): void {
    this.#limits.delete(keyId);
    this.#byKey.delete(keyId);
  }

  #make(keyId: string, limits: KeyLimits): Allowance {
    const { clock, usedSince, usedBefore, elsewhere } = this.#options;
    const allowance = new Allowance(limits, {
      clock,
      calendar: this.calendar,
      usedSince: (resource, at) => usedSince(keyId, resource, at),
      usedBefore: usedBefore && ((resource, at) => usedBefore(keyId, resource, at)),
      elsewhere: elsewhere && {
        serverId: elsewhere.serverId,
        holdings: () => elsewhere.holdings(keyId),
        spent: (budget: LimitName, startsAt: number) => elsewhere.spent(keyId, budget, startsAt),
      },
    });
    this.#byKey.set(keyId, allowance);
    return allowance;
  }
}

/** Whether there is any limit. A time zone and what happens at a limit are none by themselves. */
function hasLimits({ timezone: _zone, onLimit: _onLimit, ...bounds }: KeyLimits): boolean {
  return Object.values(bounds).some((bound) => bound !== undefined);
}
