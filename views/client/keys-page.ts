import type { AlpineApi } from "./alpine.js";
import { createAudit } from "./audit.ts";
import { createGrants } from "./grants.ts";
import { createKeys } from "./keys.ts";
import type { PoolStore } from "./pool-store.ts";
import { createTenants } from "./tenants.ts";

/** Registers the components of the section on keys. */
export function register(alpine: AlpineApi, pool: () => PoolStore): void {
  alpine.data("keys", createKeys(pool));
  alpine.data("tenants", createTenants(alpine));
  alpine.data("grants", createGrants(alpine));
  alpine.data("audit", createAudit(alpine));
}
