import type { Deps } from "../system/deps.ts";
import { KeyBook } from "./key-book.ts";
import { createMemoryRecords, type KeyRecords } from "./key-records.ts";
import { keyHash } from "./key-text.ts";
import { type KeysFileSource, KeysFileWatch } from "./keys-file-watch.ts";
import type { SharedKeys } from "./shared-keys.ts";
import { TenantBook } from "./tenant-book.ts";
import type { TenantRecords } from "./tenant-records.ts";

/** The keys of a server that its configuration does not list. */
export interface OpenedKeys {
  readonly book: KeyBook;
  /** The limits of tenants. Absent: no tenant has any. */
  readonly tenants?: TenantBook | undefined;
  /** Whether made keys are kept, so that some may be made. */
  readonly isKept: boolean;
  /** Undefined without `KEYS_FILE`. */
  readonly file: KeysFileWatch | undefined;
  /** The keys that all servers of a cluster share. Absent for a server that has its keys for itself. */
  readonly shared?: SharedKeys | undefined;
}

export interface OpenKeysOptions {
  /** `KEYS_FILE`; undefined without one. */
  readonly source: KeysFileSource | undefined;
  /** Undefined if made keys are not kept. */
  readonly records: KeyRecords | undefined;
  /** The keys that all servers of a cluster share. Undefined for a server that has its keys for itself. */
  readonly shared?: (SharedKeys & { readonly areKept: boolean }) | undefined;
  /** Undefined if limits of tenants that operators set are not kept. */
  readonly tenantRecords?: TenantRecords | undefined;
  /** Concurrent requests of each key; 0 sets no limit. */
  readonly maxRequests: number;
}

/** A digest of what `KEYS_FILE` says; undefined if it lists nothing. Servers with the same file have the same digest. */
export function fileDigestOf({ book, tenants }: Pick<OpenedKeys, "book" | "tenants">): string | undefined {
  const [ofKeys, ofTenants] = [book.fileDigest(), tenants?.fileDigest()];
  return ofTenants === undefined ? ofKeys : keyHash(`${ofKeys ?? ""} ${ofTenants}`);
}

/** Opens the keys that are kept and those of `KEYS_FILE`. Returns what is wrong with that file, if it is invalid. */
export async function openKeys(
  { source, records, shared, tenantRecords, maxRequests }: OpenKeysOptions,
  { clock, log }: Pick<Deps, "clock" | "log">,
): Promise<OpenedKeys | { readonly faults: readonly string[] }> {
  // A file that somebody empties must not let everybody in.
  const book = new KeyBook({
    records: records ?? createMemoryRecords(),
    clock,
    maxRequests,
    requires: source ? ["client"] : [],
    standing: shared && (() => shared.standing()),
  });
  let isFull = false;
  shared?.watch({
    saved(entry) {
      if (book.accept(entry) || isFull) return;
      isFull = true;
      log.error("keys.too_many", {
        effect: "further keys of the cluster are refused at this server",
        hint: "somebody has written more keys than servers create: see who may write to the bucket, remove them, and restart",
      });
    },
    unreadable: (id, revocation) => book.acceptUnreadable(id, revocation),
    removed: (id) => book.drop(id),
    used: (id, at) => book.noteUse(id, at),
  });
  const unreadable = records?.unreadable?.() ?? 0;
  if (unreadable > 0)
    log.error("keys.unreadable", {
      count: unreadable,
      effect: "these keys are refused, and nobody is let in without a key",
      hint: "start the version that has written them, or restore a backup",
    });
  const tenants = new TenantBook({
    records: tenantRecords,
    clock,
    isKept: shared && (() => shared.areKept),
    isAway: shared && (() => shared.standing().kind === "away"),
  });
  const file = source && new KeysFileWatch({ source, book, tenants, clock, log });
  const faults = (await file?.start()) ?? [];
  if (faults.length > 0) return { faults };
  return {
    book,
    tenants,
    get isKept() {
      return shared?.areKept ?? records !== undefined;
    },
    file,
    shared,
  };
}
