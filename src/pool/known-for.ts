import type { Clock } from "../system/deps.ts";
import { Known } from "./known.ts";

/** Those who have a name: how many each, so that it is left with the last of them. */
class Counted {
  readonly known: Known;
  readonly #counts = new Map<string, number>();

  constructor(known: Known) {
    this.known = known;
  }

  arrived(name: string): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
    this.known.arrived(name);
  }

  left(name: string): void {
    const count = (this.#counts.get(name) ?? 0) - 1;
    if (count > 0) return void this.#counts.set(name, count);
    this.#counts.delete(name);
    this.known.left(name);
  }
}

/**
 * The names that are known to the callers of a tenant: those of workers that serve everybody, and those of workers that serve
 * the tenant. The number of tenants is bounded by the keys of workers, which operators make.
 */
export class KnownFor {
  readonly #clock: Clock;
  readonly #graceMs: number;
  readonly #open: Counted;
  readonly #byTenant = new Map<string, Counted>();

  constructor(clock: Clock, graceMs: number) {
    this.#clock = clock;
    this.#graceMs = graceMs;
    this.#open = new Counted(new Known(clock, graceMs));
  }

  /** Whether some name is or was that of a worker for certain tenants. While none is, everybody knows the same names. */
  get isDivided(): boolean {
    return this.#byTenant.size > 0;
  }

  has(name: string, tenant: string): boolean {
    return this.#open.known.has(name) || (this.#byTenant.get(tenant)?.known.has(name) ?? false);
  }

  /** Notes that a worker has a name. Each call MUST be followed by one `left` with the same tenants. */
  arrived(name: string, tenants: ReadonlySet<string> | undefined): void {
    if (!tenants) return this.#open.arrived(name);
    for (const tenant of tenants) this.#of(tenant).arrived(name);
  }

  left(name: string, tenants: ReadonlySet<string> | undefined): void {
    if (!tenants) return this.#open.left(name);
    for (const tenant of tenants) this.#of(tenant).left(name);
  }

  #of(tenant: string): Counted {
    const known = this.#byTenant.get(tenant);
    if (known) return known;
    const counted = new Counted(new Known(this.#clock, this.#graceMs));
    this.#byTenant.set(tenant, counted);
    return counted;
  }
}
