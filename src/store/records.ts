import type { SignOutRecords } from "../auth/sign-outs.ts";
import type { SharedSecret } from "../auth/token-keys.ts";
import type { RestrictionRecords } from "../plugin/restrictions.ts";
import type { OwnerRecords } from "../tunnel/owners.ts";
import { createOwnerRows } from "./owner-rows.ts";
import { createRestrictionRows } from "./restriction-rows.ts";
import { createSecretRow } from "./secret-row.ts";
import { createSignOutRows } from "./sign-out-rows.ts";
import type { Store } from "./store.ts";

/** What the store keeps for the server over a restart. */
export interface StoredRecords {
  owners(pluginId: string): OwnerRecords;
  restrictions(pluginId: string): RestrictionRecords;
  signOuts(): SignOutRecords;
  readonly secret: SharedSecret;
  /** Whether something could not be written and would be lost at a restart. */
  areFailing(): boolean;
}

/** Creates the records that the server keeps in a store. */
export function createRecords(store: Store): StoredRecords {
  return {
    owners: (pluginId) => createOwnerRows(store, pluginId),
    restrictions: (pluginId) => createRestrictionRows(store, pluginId),
    signOuts: () => createSignOutRows(store),
    secret: createSecretRow(store),
    areFailing: () => store.writes.areFailing,
  };
}
