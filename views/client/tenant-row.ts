import type { TenantView } from "../../src/admin/key-view.ts";
import { type LimitLine, toLimitLine } from "./limit-line.ts";

/** A row of the table of tenants. */
export interface TenantRow extends TenantView {
  readonly limitLines: readonly LimitLine[];
  /** What happens at the limits, as far as it is not the usual; empty otherwise. */
  readonly manner: string;
}

export function toTenantRow(tenant: TenantView): TenantRow {
  const { timezone, on_limit: onLimit, max_waiting: maxWaiting } = tenant.limits;
  const manners = [
    ...(timezone === undefined ? [] : [`days of ${timezone}`]),
    ...(maxWaiting === undefined ? [] : [`${maxWaiting} may wait`]),
    ...(onLimit === "refuse" ? ["refuses at a limit"] : []),
  ];
  return { ...tenant, limitLines: tenant.used.map(toLimitLine), manner: manners.join(", ") };
}
