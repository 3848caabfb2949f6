import type { Audit } from "../audit/audit.ts";
import { Fault } from "../errors.ts";
import type { KeyLimits } from "../keys/key-terms.ts";
import { specFault } from "../keys/spec-faults.ts";
import type { TenantBook } from "../keys/tenant-book.ts";
import type { TenantEntry } from "../keys/tenant-entry.ts";
import { readTenantName, readTenantSpec } from "../keys/tenant-spec.ts";
import { type Asker, unwrittenFault } from "./key-desk.ts";
import type { PageQuery } from "./key-request.ts";

export interface TenantDeskOptions {
  /** Undefined for a server that neither keeps made keys nor has a file of them. */
  readonly tenants: TenantBook | undefined;
  /** Whether changes cannot be written now, and would be lost at a restart. Never unless given. */
  readonly isFailing?: (() => boolean) | undefined;
  readonly audit: Audit;
}

/** One page of the tenants that have limits. */
export interface TenantList {
  readonly data: readonly TenantEntry[];
  readonly hasMore: boolean;
  /** The number of tenants on all pages. */
  readonly total: number;
}

/** Carries out the requests of operators about the limits of tenants, and records them in the audit trail. */
export class TenantDesk {
  readonly #options: TenantDeskOptions;

  constructor(options: TenantDeskOptions) {
    this.#options = options;
  }

  /** Returns a page of the tenants that have limits, by their names. */
  list({ limit, after, offset }: PageQuery): TenantList {
    const all = this.#options.tenants?.list() ?? [];
    const found = after === undefined ? 0 : all.findIndex(({ name }) => name > after);
    const first = found < 0 ? all.length : found + offset;
    const data = all.slice(first, first + limit);
    return { data, hasMore: first + data.length < all.length, total: all.length };
  }

  /** Throws `tenant_not_found` for a tenant without limits. */
  find(name: string): TenantEntry {
    const entry = this.#options.tenants?.get(name);
    if (entry) return entry;
    throw new Fault("tenant_not_found");
  }

  /** `request` is the parsed body, which was not checked. */
  set(name: string, request: unknown, asker: Asker): TenantEntry {
    const tenants = this.#book();
    const named = readTenantName(name);
    if (!named.ok) throw specFault(named);
    const read = readTenantSpec(request);
    if (!read.ok) throw specFault(read);
    const before = tenants.get(named.value);
    const entry = tenants.set(named.value, read.value, asker.by);
    const fields = changedFields(before?.limits ?? {}, entry.limits).join(",");
    if (fields !== "") this.#note("tenant.limits", entry, asker, { fields });
    this.#assertWritten();
    return entry;
  }

  remove(name: string, asker: Asker): TenantEntry {
    const entry = this.#book().remove(name);
    this.#note("tenant.remove", entry, asker);
    this.#assertWritten();
    return entry;
  }

  #book(): TenantBook {
    const { tenants } = this.#options;
    if (tenants) return tenants;
    throw new Fault("keys_not_kept");
  }

  #assertWritten(): void {
    if (this.#options.isFailing?.()) throw unwrittenFault();
  }

  #note(what: string, { name }: TenantEntry, { by, address }: Asker, detail: Readonly<Record<string, string>> = {}) {
    this.#options.audit.note({ who: by, address, what, about: name, detail });
  }
}

/** Lists the limits that differ: `parallel`, `tokens_per_day`. */
function changedFields(before: KeyLimits, after: KeyLimits): readonly string[] {
  const values = (limits: KeyLimits) => new Map<string, unknown>(Object.entries(limits));
  const [old, next] = [values(before), values(after)];
  const names = new Set([...old.keys(), ...next.keys()]);
  return [...names]
    .filter((name) => old.get(name) !== next.get(name))
    .map((name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`));
}
