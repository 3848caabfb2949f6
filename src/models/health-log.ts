import type { HealthEvent } from "../pool/routing/health-watch.ts";
import type { Deps } from "../system/deps.ts";

/** Returns a function that writes a line when a worker goes out because it failed too often, and when it comes back. */
export function createHealthLog({ log, clock }: Pick<Deps, "log" | "clock">, plugin: string) {
  return ({ change, worker, model, ejection }: HealthEvent): void => {
    const { reason, since, until, times } = ejection;
    const now = clock.elapsed();
    const fields = { plugin, worker: worker.id, model: model?.slice(0, 128), reason, times };
    if (change === "restored") log.info("worker.restored", { ...fields, out_ms: Math.round(now - since) });
    else log.warn("worker.ejected", { ...fields, for_ms: Math.round(until - now) });
  };
}
