/** Whose limits they are: those of one key, or those that all keys of a tenant share. */
export type Holder = { readonly kind: "key" } | { readonly kind: "tenant"; readonly name: string };

export const A_KEY: Holder = { kind: "key" };

const TENANT = "tenant:";

/** Returns the id under which the limits of a tenant are counted. No id of a key begins like it. */
export function tenantId(name: string): string {
  return TENANT + name;
}

/** Returns the name of the tenant whose limits are counted under this id; undefined for the id of a key. */
export function tenantOf(id: string): string | undefined {
  return id.startsWith(TENANT) ? id.slice(TENANT.length) : undefined;
}
