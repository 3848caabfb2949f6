import { createAddWorker } from "./add-worker.ts";
import type { AlpineApi } from "./alpine.js";
import type { PoolStore } from "./pool-store.ts";
import type { RouteStore } from "./route.ts";
import { createUseIt } from "./use-it.ts";

/** Registers the components of “Add a worker” and “Use it”. */
export function register(alpine: AlpineApi, pool: () => PoolStore): void {
  const route = (): RouteStore => alpine.store("route");
  alpine.data("addWorker", createAddWorker(pool, route));
  alpine.data("useIt", createUseIt(pool, route));
}
